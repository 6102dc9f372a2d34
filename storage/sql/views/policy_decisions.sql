-- policy_decisions: one row each time a policy or guardrail judged an action.
SELECT
    record_id, started_at AS time, run_id, session_id, tenant, environment, release, agent_name, actor, name,
    coalesce(action, attributes['auditlake.policy.action']) AS action, tool_name, tool_call_id, decision, reason_code, policy_version,
    attributes['auditlake.policy.effect'] AS effect, coalesce(latency_ms, duration_ms) AS latency_ms,
    trace_id, span_id, parent_span_id
FROM internal.all_steps AS s
ANTI JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
WHERE kind = 'policy'
