-- queues: one row a report of a queue's depth (metric auditlake.queue.depth): its depth over time, of tasks that are assigned and that are not.
SELECT
    record_id, time, attributes['auditlake.queue.name'] AS queue_name,
    try_cast(attributes['auditlake.queue.assigned'] AS BOOLEAN) AS assigned,
    coalesce(value, value_int) AS depth, tenant, environment, release, agent_name, agent_id
FROM metrics
WHERE metric_name = 'auditlake.queue.depth'
