-- known_spans: the spans that are there, whichever run they belong to. Columns: trace_id, span_id.
SELECT trace_id, span_id FROM internal.span_rows
