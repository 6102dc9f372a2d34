-- audit_actions: one row an audit action (event agent_action): who did what to what, with what outcome.
-- latency_ms is how long the action took, as the agent states it; how long such records took to become durable is in audit_writes.
SELECT
    record_id, started_at AS time, agent_name, agent_id, actor, action, resource, outcome, latency_ms, reason_code, body AS message,
    tenant, environment, release, session_id, run_id, trace_id, span_id
FROM internal.named_events
WHERE event_name = 'agent_action'
