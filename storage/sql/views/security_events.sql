-- security_events: one row an injection, filtered content, failed validation, authentication or authorization, a threat, a flood of requests,
-- or data that was found damaged. disposition says what became of it: blocked, filtered, allowed or allowed_with_monitoring; where nobody
-- said so, it is NULL. What collectors refused stands for many attempts (attempts) of one sender, and is in no run; others stand for one.
-- detector auditlake.… are our own processes: the collector, its verification of the lake, and what makes checkpoints known outside; who
-- else calls itself so is shown as sent-as:auditlake.….
WITH told AS (
    SELECT
        record_id, started_at AS time, attributes,
        regexp_replace(attributes['auditlake.security.detector'], '^auditlake\.', 'sent-as:\0') AS detector,
        action, resource, outcome, reason_code, body, tool_name, tenant, environment, release,
        agent_name, agent_id, actor, session_id, run_id, trace_id, span_id
    FROM internal.named_events
    WHERE event_name = 'security'
    UNION ALL
    SELECT
        record_id, time, attributes, attributes['auditlake.security.detector'],
        action, resource, outcome, reason_code, body, tool_name, tenant, environment, release,
        agent_name, agent_id, actor, session_id, NULL, NULL, NULL
    FROM events
    WHERE event_name = 'security' AND scope_name IN ('auditlake.collector', 'auditlake.verify', 'auditlake.anchors')
)
SELECT
    record_id, time, attributes['auditlake.security.category'] AS category,
    attributes['auditlake.security.threat_level'] AS threat_level,
    try_cast(attributes['auditlake.security.threat_score'] AS DOUBLE) AS threat_score,
    attributes['auditlake.security.disposition'] AS disposition, detector,
    attributes['auditlake.security.sender'] AS sender,
    coalesce(try_cast(attributes['auditlake.security.count'] AS BIGINT), 1) AS attempts,
    action, resource, outcome, reason_code, body AS message, tool_name,
    tenant, environment, release, agent_name, agent_id, actor, session_id, run_id, trace_id, span_id
FROM told
