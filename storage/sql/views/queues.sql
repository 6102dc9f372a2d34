-- queues: one row a report of a queue's depth (metric auditlake.queue.depth).
SELECT
    record_id, time, attributes['auditlake.queue.name'] AS queue_name,
    try_cast(attributes['auditlake.queue.assigned'] AS BOOLEAN) AS assigned,
    coalesce(value, value_int) AS depth, tenant, environment, agent_name, agent_id
FROM metrics
WHERE metric_name = 'auditlake.queue.depth'
