-- untraced_events: the log records of a run that belong to no trace, as stored. Parameters: run_id.
SELECT * FROM internal.event_rows WHERE run_id = $run_id AND trace_id IS NULL
