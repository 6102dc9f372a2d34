-- resilience_events: one row a change of a circuit breaker, fallback, cache hit, rate limit, retry, compensation, escalation, dead letter,
-- missed schedule, or an incident that was opened or closed. resource is what it is about: a provider, a tool, a job.
SELECT
    record_id, started_at AS time,
    CASE WHEN starts_with(event_name, 'incident.') THEN 'incident' ELSE split_part(event_name, '.', 2) END AS subject,
    CASE
        WHEN starts_with(event_name, 'incident.') THEN split_part(event_name, '.', 2)
        ELSE attributes['auditlake.resilience.state']
    END AS state,
    resource, provider, coalesce(model, model_requested) AS model, tool_name,
    attributes['auditlake.resilience.fallback'] AS fallback,
    try_cast(attributes['auditlake.resilience.attempt'] AS BIGINT) AS attempt,
    try_cast(attributes['auditlake.resilience.delay_seconds'] AS DOUBLE) AS delay_seconds,
    try_cast(try_cast(attributes['auditlake.resilience.due_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS due_at,
    attributes['auditlake.incident.id'] AS incident_id, attributes['auditlake.incident.severity'] AS severity,
    outcome, reason_code, error_type, body AS message, handoff_to,
    tenant, environment, release, agent_name, agent_id, actor, run_id, trace_id, span_id
FROM internal.named_events
WHERE starts_with(event_name, 'resilience.') OR event_name IN ('incident.opened', 'incident.closed')
