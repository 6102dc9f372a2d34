-- security_events: one row an injection, filtered content, failed validation, authentication or authorization, or a threat.
-- disposition says what became of it: blocked, filtered, allowed or allowed_with_monitoring; where nobody said so, it is NULL.
SELECT
    record_id, started_at AS time, attributes['auditlake.security.category'] AS category,
    attributes['auditlake.security.threat_level'] AS threat_level,
    try_cast(attributes['auditlake.security.threat_score'] AS DOUBLE) AS threat_score,
    attributes['auditlake.security.disposition'] AS disposition, attributes['auditlake.security.detector'] AS detector,
    action, resource, outcome, reason_code, body AS message, tool_name,
    tenant, environment, release, agent_name, agent_id, actor, session_id, run_id, trace_id, span_id
FROM internal.event_steps
WHERE event_name = 'security'
