-- excerpt_spans: the spans of an excerpt, as far as it decides which questions it answers with nothing. {only_with} are conditions of
-- storage.composition. Columns: trace_id, span_id, parent_span_id, start_ns, kind, reporter (which instrumentation it comes from),
-- response_id, in_vain (it failed without tokens), identity (of spans with the same one all but the first were sent again), again (its
-- request was stored before), and one a condition.
SELECT
    trace_id, span_id, parent_span_id, start_ns, coalesce(step_kind, 'other'), coalesce(scope_name, '') || '/span', response_id,
    (coalesce(status_code = 2, false) OR error_type IS NOT NULL) AND coalesce(input_tokens, output_tokens) IS NULL,
    hash(trace_id, span_id, start_ns, end_ns, name), resent IS TRUE, {only_with}
FROM temp.span_rows
