-- excerpt_traits: what there is among the rows of an excerpt, for storage.excerpt. {only_with} are conditions of storage.composition.
-- Columns: one a condition, by the name of its view; calls (inference steps), resent_spans and resent_events (rows that came before).
SELECT
    {only_with},
    count(*) FILTER (step_kind = 'model')
        + (SELECT count(*) FROM temp.event_rows WHERE step_kind = 'model') AS calls,
    count(*) - count(DISTINCT hash(trace_id, span_id, start_ns, end_ns, name)) AS resent_spans,
    (
        SELECT count(*) - count(DISTINCT hash(trace_id, span_id, time_ns, event_name, body, severity_number, sequence, attributes))
        FROM temp.event_rows
    ) AS resent_events
FROM temp.span_rows
