-- security_events: one row an injection, filtered content, failed validation, authentication or authorization, or a threat.
SELECT
    record_id, started_at AS time, attributes['auditlake.security.category'] AS category,
    attributes['auditlake.security.threat_level'] AS threat_level, action, resource, outcome, reason_code, body AS message,
    tenant, environment, agent_name, agent_id, actor, run_id, trace_id, span_id
FROM internal.event_steps
WHERE event_name = 'security'
