-- tasks: one row each time a task changed its state (created assigned in_progress blocked submitted reviewed done).
SELECT
    record_id, started_at AS time, attributes['auditlake.task.id'] AS task_id, attributes['auditlake.task.state'] AS state,
    task_type, attributes['auditlake.task.deliverable'] AS deliverable, attributes['auditlake.task.review'] AS review,
    tenant, environment, agent_name, agent_id, actor, run_id
FROM internal.event_steps
WHERE event_name = 'task'
