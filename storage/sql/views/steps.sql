-- steps: spans and log records as one story, to be ordered by start_ns; what auditlake wrote about itself is not in it.
-- kind is one of run agent model tool retrieval memory policy approval eval checkpoint heartbeat message other; parent_span_id
-- is, for a log record, the span that it was written in; duration_ms of a log record is the latency that it states.
-- counted is true on the one inference step whose tokens and cost count (see _uncounted.sql): sum only those.
-- Inference steps are apart, so that a query about other kinds does not look at them.
SELECT
    record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor,
    kind, name, started_at, ended_at, duration_ms, status, status_message, trace_id, span_id, parent_span_id, source, counted,
    * EXCLUDE (
        record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor,
        kind, name, started_at, ended_at, duration_ms, status, status_message, trace_id, span_id, parent_span_id, source, counted
    )
FROM (
    SELECT *, false AS counted FROM internal.all_steps WHERE kind <> 'model'
    UNION ALL BY NAME
    SELECT * FROM internal.counted_steps WHERE kind = 'model'
)
