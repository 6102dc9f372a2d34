-- trace_events: the log records of some traces, as stored. Parameters: trace_ids (list).
SELECT * FROM internal.event_rows WHERE trace_id IN $trace_ids
