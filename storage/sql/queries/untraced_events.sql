-- untraced_events: the log records of a run that belong to no trace, as stored. {columns} are those of the table. Parameters: run_ids (list).
SELECT {columns} FROM internal.event_rows WHERE run_id IN $run_ids AND trace_id IS NULL
