-- drop_resent_events: of log records that came more than once the first one stays (see drop_resent_spans.sql). They have no id: two are
-- the same when everything that was sent is.
DELETE FROM temp.event_rows
WHERE resent IS TRUE OR hash(origin, entry, entry_row) IN (
    SELECT hash(origin, entry, entry_row)
    FROM temp.event_rows
    WHERE resent IS NOT TRUE
    QUALIFY row_number() OVER (
        PARTITION BY trace_id, span_id, time_ns, event_name, body, severity_number, sequence, hash(attributes)
        ORDER BY origin, entry, entry_row
    ) > 1
)
