-- internal.all_steps: spans and log records in one shape: steps without `counted`, which costs a look at every inference step.
SELECT
    record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor,
    kind, name, started_at, ended_at, duration_ms, status, status_message, trace_id, span_id, parent_span_id, source,
    * EXCLUDE (
        record_id, run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor,
        kind, name, started_at, ended_at, duration_ms, status, status_message, trace_id, span_id, parent_span_id, source
    )
FROM (
    SELECT * FROM internal.span_steps
    UNION ALL BY NAME
    SELECT * FROM internal.event_steps
    UNION ALL BY NAME
    SELECT * FROM internal.approval_steps
    UNION ALL BY NAME
    SELECT * FROM internal.execution_steps
    UNION ALL BY NAME
    SELECT * FROM internal.pending_steps
)
