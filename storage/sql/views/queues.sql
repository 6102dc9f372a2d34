-- queues: one row a report of a queue's depth (metric auditlake.queue.depth, or event queue.depth): its depth over time, of tasks that are
-- assigned and that are not.
SELECT
    record_id, time, attributes['auditlake.queue.name'] AS queue_name,
    try_cast(attributes['auditlake.queue.assigned'] AS BOOLEAN) AS assigned,
    coalesce(value, value_int) AS depth, tenant, environment, release, agent_name, agent_id
FROM metrics
WHERE metric_name = 'auditlake.queue.depth' AND resent IS NOT TRUE
UNION ALL
SELECT
    record_id, started_at, attributes['auditlake.queue.name'], try_cast(attributes['auditlake.queue.assigned'] AS BOOLEAN),
    try_cast(attributes['auditlake.queue.depth'] AS DOUBLE), tenant, environment, release, agent_name, agent_id
FROM internal.event_steps
WHERE event_name = 'queue.depth'
