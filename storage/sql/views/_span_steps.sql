-- internal.span_steps: spans in the shape of a step, without those that auditlake wrote about itself, without start markers (see
-- _pending_steps.sql) and without those whose request was stored before. record_id and run_id are those of the view `spans`, which it
-- does not read: binding a hundred columns once more costs every reader of steps milliseconds.
SELECT
    s.origin || '/' || s.entry || '/' || s.entry_row AS record_id, coalesce(m.run_id, s.run_id) AS run_id,
    s.session_id, s.tenant, s.project, s.environment, s.release, s.agent_name, s.agent_id, s.agent_version, s.actor,
    coalesce(s.step_kind, 'other') AS kind,
    s.name,
    s.start_time AS started_at,
    CASE WHEN s.end_ns > 0 THEN s.end_time END AS ended_at,
    CASE WHEN s.end_ns >= s.start_ns THEN (s.end_ns - s.start_ns) / 1e6 END AS duration_ms,
    CASE
        WHEN s.step_kind = 'tool' AND s.outcome = 'failure' THEN 'error' -- its answer says so: the framework has dealt with it
        WHEN s.status_code = 2 THEN CASE WHEN s.outcome IN ('waiting', 'handed_over') THEN 'unset' ELSE 'error' END -- dialects/langgraph.py
        WHEN s.status_code = 1 THEN 'ok'
        ELSE 'unset'
    END AS status,
    s.status_message, s.trace_id, s.span_id, s.parent_span_id,
    'span' AS source,
    s.* EXCLUDE (
        run_id, session_id, tenant, project, environment, release, agent_name, agent_id, agent_version, actor, kind, step_kind, name,
        start_time, end_time, status_code, status_message, trace_id, span_id, parent_span_id, resent
    )
    REPLACE (CASE WHEN s.step_kind = 'approval' THEN s.approval_state END AS approval_state),  -- else see _approval_steps.sql
    s.run_id AS sent_run_id,
    s.kind AS span_kind
FROM internal.span_rows AS s
LEFT JOIN internal.trace_runs AS m ON m.trace_id = s.trace_id
WHERE NOT coalesce(starts_with(s.scope_name, 'auditlake.'), false) AND s.operation IS DISTINCT FROM 'pending_span'
  AND s.resent IS NOT TRUE
