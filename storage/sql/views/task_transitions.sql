-- task_transitions: one row each time a task changed its state (created assigned in_progress blocked submitted reviewed done).
-- until is when it left that state and held_ms how long it was in it: both NULL while it still is.
-- A task is known by tenant, environment and task_id; changes at one instant are in the order of the states.
SELECT
    record_id, time, task_id, state, until, date_diff('microsecond', time, until) / 1e3 AS held_ms, number,
    task_type, deliverable, review, message, tenant, environment, agent_name, agent_id, actor, session_id, run_id
FROM (
    SELECT
        record_id, started_at AS time, attributes['auditlake.task.id'] AS task_id, attributes['auditlake.task.state'] AS state,
        lead(started_at) OVER changes AS until, row_number() OVER changes AS number,
        task_type, attributes['auditlake.task.deliverable'] AS deliverable, attributes['auditlake.task.review'] AS review,
        body AS message, tenant, environment, agent_name, agent_id, actor, session_id, run_id
    FROM internal.named_events
    WHERE event_name = 'task'
    WINDOW changes AS (
        PARTITION BY tenant, environment, attributes['auditlake.task.id']
        ORDER BY
            start_ns,
            list_position(
                ['created', 'assigned', 'in_progress', 'blocked', 'submitted', 'reviewed', 'done'], attributes['auditlake.task.state']
            ),
            record_id
    )
)
