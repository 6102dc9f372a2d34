-- trace_events: the log records of some traces, as stored. {columns} are those of the table. Parameters: trace_ids (list).
SELECT {columns} FROM internal.event_rows WHERE trace_id IN $trace_ids
