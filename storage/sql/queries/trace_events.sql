-- trace_events: the log records of one trace, as stored. Parameters: trace_id.
SELECT * FROM internal.event_rows WHERE trace_id = $trace_id
