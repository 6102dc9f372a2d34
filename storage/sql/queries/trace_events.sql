-- trace_events: the log records of some traces, and those of a run that belong to no trace, as stored.
-- Parameters: trace_ids (list), run_id.
SELECT * FROM internal.event_rows WHERE trace_id IN $trace_ids
UNION ALL
SELECT * FROM internal.event_rows WHERE run_id = $run_id AND trace_id IS NULL
