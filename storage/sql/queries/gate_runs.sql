-- gate_runs: what a gate compares of every run of some releases, in the order of their ids.
-- Parameters: releases (list); each NULL for any: since, until (naive UTC, of started_at), agent, tenant, environment.
-- Columns: those of runs that are named below; tool_calls and tool_errors (log records where the run has no spans of tools),
-- decisions and denials (of policies); and what says that two runs are of the same task: task_key, case_key, session_key, input_key
-- (a digest of the first input).
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
acted AS (
    SELECT
        run_id,
        count(*) FILTER (kind = 'tool' AND source = 'span') AS tool_spans,
        count(*) FILTER (kind = 'tool' AND source = 'span' AND status = 'error') AS failed_tool_spans,
        count(*) FILTER (kind = 'tool' AND source = 'event') AS tool_events,
        count(*) FILTER (kind = 'tool' AND source = 'event' AND status = 'error') AS failed_tool_events,
        count(*) FILTER (kind = 'policy' AND decision IS NOT NULL) AS decisions,
        count(*) FILTER (kind = 'policy' AND lower(decision) IN ('deny', 'denied', 'block', 'blocked', 'reject', 'rejected')) AS denials,
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
    chosen.* EXCLUDE (session_id), session_id AS session_key,
    CASE WHEN tool_spans > 0 THEN tool_spans ELSE tool_events END AS tool_calls,
    CASE WHEN tool_spans > 0 THEN failed_tool_spans ELSE failed_tool_events END AS tool_errors,
    decisions, denials, task_key, case_key, md5(first_input) AS input_key
FROM chosen
LEFT JOIN acted USING (run_id)
ORDER BY run_id
