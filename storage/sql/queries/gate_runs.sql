-- gate_runs: what a gate compares of every run of some releases, in the order of their ids.
-- Parameters: releases (list); each NULL for any: since, until (naive UTC, of started_at), agent, tenant, environment.
-- Columns: those of runs that are named below; tool_calls and tool_errors; decisions and denials (of policies); and what says that two
-- runs are of the same task: task_key, case_key, session_key, input_key (a digest of the first input).
WITH chosen AS (
    SELECT
        run_id, release, status, started_at, last_at, duration_ms, session_id, model_calls, unpriced_calls, cost_usd, input_tokens,
        output_tokens
    FROM runs
    WHERE list_contains($releases, release)
      AND ($since::TIMESTAMP IS NULL OR started_at >= $since)
      AND ($until::TIMESTAMP IS NULL OR started_at <= $until)
      AND ($agent::VARCHAR IS NULL OR agent_name = $agent)
      AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
      AND ($environment::VARCHAR IS NULL OR environment = $environment)
),
tools AS (
    SELECT run_id, count(*) AS tool_calls, count(*) FILTER (status = 'error') AS tool_errors
    FROM tool_calls
    SEMI JOIN chosen USING (run_id)
    GROUP BY run_id
),
policies AS (
    SELECT
        run_id, count(*) AS decisions,
        count(*) FILTER (trim(lower(decision)) IN (
            'deny', 'denied', 'block', 'blocked', 'reject', 'rejected', 'refuse', 'refused', 'forbid', 'forbidden', 'decline', 'declined',
            'disallow', 'disallowed'
        )) AS denials
    FROM policy_decisions
    SEMI JOIN chosen USING (run_id)
    WHERE decision IS NOT NULL
    GROUP BY run_id
),
tasks_of AS (
    SELECT
        run_id,
        arg_min(attributes['auditlake.task.id'], start_ns) AS task_key,
        arg_min(attributes['auditlake.eval.case_id'], start_ns) AS case_key,
        arg_min(
            coalesce(
                attributes['auditlake.input.ref'], attributes['input.value'], attributes['traceloop.entity.input'],
                attributes['mlflow.spanInputs'], attributes['gen_ai.input.messages'], attributes['ai.prompt'],
                attributes['ai.prompt.messages'], attributes['gen_ai.prompt.0.content'], attributes['gen_ai.prompt']
            ),
            start_ns
        ) AS first_input
    FROM internal.all_steps
    SEMI JOIN chosen USING (run_id)
    GROUP BY run_id
)
SELECT
    chosen.* EXCLUDE (session_id),
    session_id AS session_key, coalesce(tool_calls, 0) AS tool_calls, coalesce(tool_errors, 0) AS tool_errors,
    coalesce(decisions, 0) AS decisions, coalesce(denials, 0) AS denials, task_key, case_key, md5(first_input) AS input_key
FROM chosen
LEFT JOIN tools USING (run_id)
LEFT JOIN policies USING (run_id)
LEFT JOIN tasks_of USING (run_id)
ORDER BY run_id
