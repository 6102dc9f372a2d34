-- steps: spans and log records as one story, to be ordered by start_ns; what auditlake wrote about itself is not in it.
-- kind is one of run agent model tool retrieval memory policy approval eval checkpoint heartbeat message other; parent_span_id
-- is, for a log record, the span that it was written in; duration_ms of a log record is the latency that it states.
-- counted is true on the one inference step whose tokens and cost count (see _uncounted.sql), and on an agent that alone knows what its
-- calls took (see _agent_totals.sql): sum only those. retried is true on an
-- inference that failed and was made again.
-- They are apart, so that a query about other kinds does not look at them.
SELECT *, false AS counted, false AS retried FROM internal.all_steps WHERE kind NOT IN ('model', 'agent', 'run')
UNION ALL
SELECT * FROM internal.counted_steps WHERE kind IN ('model', 'agent', 'run')
