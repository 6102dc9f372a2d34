-- trace_spans: the spans of some traces, as stored. {columns} are those of the table. Parameters: trace_ids (list).
SELECT {columns} FROM internal.span_rows WHERE trace_id IN $trace_ids
