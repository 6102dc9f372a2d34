-- excerpt_events: the log records of an excerpt, in the first ten columns of excerpt_spans. A log record has no id: its parent is the
-- span that it was written in, and two are the same when everything that was sent is.
SELECT
    trace_id, NULL, span_id, time_ns, coalesce(step_kind, 'other'), coalesce(scope_name, '') || '/event', response_id,
    (error_type IS NOT NULL OR coalesce(severity_number, 0) >= 17) AND coalesce(input_tokens, output_tokens) IS NULL,
    hash(trace_id, span_id, time_ns, event_name, body, severity_number, sequence, attributes), resent IS TRUE
FROM temp.event_rows
