-- internal.span_steps: spans in the shape of a step, without those that auditlake wrote about itself, without start markers
-- (see _pending_steps.sql) and without those whose request was stored before.
SELECT
    * EXCLUDE (kind, step_kind, start_time, end_time, status_code, resent)
    REPLACE (CASE WHEN step_kind = 'approval' THEN approval_state END AS approval_state),  -- else see _approval_steps.sql
    kind AS span_kind,
    coalesce(step_kind, 'other') AS kind,
    start_time AS started_at,
    CASE WHEN end_ns > 0 THEN end_time END AS ended_at,
    CASE WHEN end_ns >= start_ns THEN (end_ns - start_ns) / 1e6 END AS duration_ms,
    CASE
        WHEN status_code = 2 THEN CASE WHEN outcome IN ('waiting', 'handed_over') THEN 'unset' ELSE 'error' END -- dialects/langgraph.py
        WHEN status_code = 1 THEN 'ok'
        ELSE 'unset'
    END AS status,
    'span' AS source
FROM spans
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false) AND operation IS DISTINCT FROM 'pending_span'
  AND resent IS NOT TRUE
