-- approvals: one row each time an approval was requested, granted, denied or expired: records of their own, and spans that say so.
SELECT
    record_id, started_at AS time, run_id, session_id, tenant, environment, release, agent_name, actor,
    coalesce(s.tool_name, w.tool_name) AS tool_name, coalesce(s.tool_call_id, w.tool_call_id) AS tool_call_id,
    coalesce(action, attributes['auditlake.approval.action'], w.tool_name) AS action, approval_state, approver,
    attributes['auditlake.approval.approver_role'] AS approver_role,
    try_cast(try_cast(attributes['auditlake.approval.expires_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS expires_at,
    s.trace_id, s.span_id, s.parent_span_id
FROM internal.all_steps AS s
ANTI JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
LEFT JOIN (
    -- what names nothing is about the tool in whose span it happened
    SELECT trace_id, span_id, any_value(tool_name) AS tool_name, any_value(tool_call_id) AS tool_call_id
    FROM internal.span_rows
    WHERE step_kind = 'tool'
    GROUP BY ALL
) AS w ON coalesce(s.tool_name, s.tool_call_id, s.action) IS NULL AND w.trace_id = s.trace_id AND w.span_id = s.parent_span_id
WHERE kind = 'approval' OR approval_state IS NOT NULL
