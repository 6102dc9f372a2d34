-- excerpt_traits: what there is among the rows of an excerpt, for storage.excerpt. {only_with} are conditions of storage.composition.
-- Columns: one a condition, by the name of its view; doubtful (internal.uncounted may have rows: two reporters, a failed call without
-- tokens, a response id that repeats, or a step within an inference step), resent_spans and resent_events (rows that came before).
WITH calls AS (
    SELECT
        trace_id, span_id, parent_span_id, response_id, coalesce(scope_name, '') || '/span' AS reporter,
        (coalesce(status_code = 2, false) OR error_type IS NOT NULL) AND coalesce(input_tokens, output_tokens) IS NULL AS in_vain
    FROM temp.span_rows
    WHERE step_kind = 'model'
    UNION ALL
    SELECT
        trace_id, NULL, span_id, response_id, coalesce(scope_name, '') || '/event',
        (error_type IS NOT NULL OR coalesce(severity_number, 0) >= 17) AND coalesce(input_tokens, output_tokens) IS NULL
    FROM temp.event_rows
    WHERE step_kind = 'model'
),
within AS (
    SELECT trace_id, parent_span_id FROM temp.span_rows WHERE coalesce(step_kind, 'other') = 'other'
    UNION ALL
    SELECT trace_id, parent_span_id FROM calls
)
SELECT
    {only_with},
    (
        SELECT
            count(*) > 1
            AND (count(DISTINCT reporter) > 1 OR bool_or(in_vain) OR count(response_id) > count(DISTINCT response_id)
                OR EXISTS (SELECT 1 FROM within AS i JOIN calls AS o ON o.trace_id = i.trace_id AND o.span_id = i.parent_span_id))
        FROM calls
    ) AS doubtful,
    count(*) - count(DISTINCT hash(trace_id, span_id, start_ns, end_ns, name)) AS resent_spans,
    (
        SELECT count(*) - count(DISTINCT hash(trace_id, span_id, time_ns, event_name, body, severity_number, sequence, attributes))
        FROM temp.event_rows
    ) AS resent_events
FROM temp.span_rows
