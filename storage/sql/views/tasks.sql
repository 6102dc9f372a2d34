-- tasks: one row a task, with where it stands: state since state_since, by whom (agent_name: the last that said so), what became of it.
-- created_at is its first record where none says created. completed_at and completion_ms are NULL until it is done, and again when it
-- is taken up after that. state_ms is how long it has been in its state by now, for a task that is not done; in_progress_ms and
-- blocked_ms are what it spent in those states, the one that it is in included. Records without a task id are in task_transitions alone.
-- Parameters: now (TIMESTAMP) of the variable `lake`.
WITH told AS (
    SELECT *, date_diff('microsecond', time, coalesce(until, greatest(getvariable('lake').now, time))) / 1e3 AS spent_ms
    FROM task_transitions
    WHERE task_id IS NOT NULL
),
by_task AS (
    SELECT
        task_id, tenant, environment,
        arg_max(task_type, number) AS task_type,
        arg_max(agent_name, number) AS agent_name,
        arg_max(agent_id, number) AS agent_id,
        arg_max(actor, number) AS actor,
        arg_max(state, number) AS state,
        max(time) FILTER (until IS NULL) AS state_since,
        coalesce(min(time) FILTER (state = 'created'), min(time)) AS created_at,
        min(time) FILTER (state = 'in_progress') AS begun_at,
        sum(spent_ms) FILTER (state = 'in_progress') AS in_progress_ms,
        sum(spent_ms) FILTER (state = 'blocked') AS blocked_ms,
        max(spent_ms) FILTER (until IS NULL) AS state_ms,
        arg_max(deliverable, number) AS deliverable,
        arg_max(review, number) AS review,
        count(*) FILTER (review = 'rejected') AS rejections,
        count(*) AS transitions,
        arg_max(session_id, number) AS session_id,
        arg_max(run_id, number) AS run_id
    FROM told
    GROUP BY task_id, tenant, environment
)
SELECT
    task_id, task_type, state, state_since, CASE WHEN state <> 'done' THEN state_ms END AS state_ms, created_at, begun_at,
    CASE state WHEN 'done' THEN state_since END AS completed_at,
    CASE state WHEN 'done' THEN date_diff('microsecond', created_at, state_since) / 1e3 END AS completion_ms,
    in_progress_ms, blocked_ms, deliverable, review, rejections, transitions,
    tenant, environment, agent_name, agent_id, actor, session_id, run_id
FROM by_task
