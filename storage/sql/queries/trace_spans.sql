-- trace_spans: the spans of some traces, as stored. Parameters: trace_ids (list).
SELECT * FROM internal.span_rows WHERE trace_id IN $trace_ids
