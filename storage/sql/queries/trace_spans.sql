-- trace_spans: the spans of one trace, as stored. Parameters: trace_id.
SELECT * FROM internal.span_rows WHERE trace_id = $trace_id
