-- approvals: one row each time an approval was requested, granted, denied or expired: records of their own, and spans that say so.
SELECT
    record_id, started_at AS time, run_id, session_id, tenant, environment, release, agent_name, actor,
    tool_name, tool_call_id, coalesce(action, attributes['auditlake.approval.action']) AS action, approval_state, approver,
    attributes['auditlake.approval.approver_role'] AS approver_role,
    try_cast(try_cast(attributes['auditlake.approval.expires_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS expires_at,
    trace_id, span_id, parent_span_id
FROM internal.all_steps AS s
ANTI JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
WHERE kind = 'approval' OR approval_state IS NOT NULL
