-- agents_runs: what the runs of each agent came to. A run counts for the agent that it is the run of: what its sub-agents did is in it.
-- Parameters, each NULL for any: since, until (naive UTC, of started_at), agent, tenant, environment.
-- Columns: tenant, environment, agent_name; sums, means and quantiles of its runs, NULL where no run knows; success_rate is of the runs
-- that are over, durations of those that ended; execution_ms and planning_ms are means of the runs that know them.
WITH chosen AS (
    SELECT
        run_id, tenant, environment, agent_name, status, started_at, duration_ms, planning_ms, execution_ms, model_calls, input_tokens,
        output_tokens, cost_usd, unpriced_calls, quality_score, satisfaction
    FROM runs
    WHERE ($since::TIMESTAMP IS NULL OR started_at >= $since)
      AND ($until::TIMESTAMP IS NULL OR started_at <= $until)
      AND ($agent::VARCHAR IS NULL OR agent_name = $agent)
      AND ($tenant::VARCHAR IS NULL OR tenant = $tenant)
      AND ($environment::VARCHAR IS NULL OR environment = $environment)
),
tools AS (
    SELECT run_id, count(*) AS calls, count(*) FILTER (status = 'error') AS failures, sum(retry_count)::BIGINT AS retries
    FROM tool_calls
    SEMI JOIN chosen USING (run_id)
    GROUP BY run_id
)
SELECT
    tenant, environment, agent_name,
    count(*) AS runs,
    count(*) FILTER (status = 'ok') AS ok,
    count(*) FILTER (status = 'error') AS error,
    count(*) FILTER (status = 'abandoned') AS abandoned,
    count(*) FILTER (status = 'running') AS running,
    count(*) FILTER (status = 'ok') / nullif(count(*) FILTER (status <> 'running'), 0) AS success_rate,
    avg(duration_ms) FILTER (status IN ('ok', 'error')) AS avg_duration_ms,
    quantile_cont(duration_ms, 0.95) FILTER (status IN ('ok', 'error')) AS p95_duration_ms,
    avg(planning_ms) AS planning_ms,
    avg(execution_ms) AS execution_ms,
    sum(model_calls)::BIGINT AS model_calls,
    sum(calls)::BIGINT AS tool_calls,
    sum(failures)::BIGINT AS tool_failures,
    sum(failures) / nullif(sum(calls), 0) AS tool_failure_rate,
    sum(retries)::BIGINT AS tool_retries,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(cost_usd) AS cost_usd,
    sum(unpriced_calls)::BIGINT AS unpriced_calls,
    avg(quality_score) AS quality_score,
    avg(satisfaction) AS satisfaction,
    max(started_at) AS last_run_at
FROM chosen
LEFT JOIN tools USING (run_id)
GROUP BY ALL
ORDER BY tenant, environment, agent_name
