-- Spend by agent and by model. Only inference calls count, each once; calls without a known price are counted apart and are not 0.
-- Parameters: start (naive UTC time). Columns: part (agent or model), name, cost_usd, calls, unknown, names; the twelve largest of each part and,
-- where there are more, one row (other) with how many names it stands for.
WITH calls AS (
    SELECT
        coalesce(agent_name, '(no agent named)') AS agent,
        coalesce(model, model_requested, '(no model named)') AS model,
        cost_usd AS usd
    FROM steps
    WHERE started_at >= $start AND kind = 'model' AND counted
),
summed AS (
    SELECT
        CASE GROUPING(agent) WHEN 0 THEN 'agent' ELSE 'model' END AS part,
        coalesce(agent, model) AS name,
        coalesce(sum(usd), 0) AS cost_usd,
        count(*) AS calls,
        count(*) FILTER (usd IS NULL) AS unknown
    FROM calls
    GROUP BY GROUPING SETS ((agent), (model))
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY part ORDER BY cost_usd DESC, calls DESC, name) <= 12 AS kept
    FROM summed
)
SELECT
    part, CASE WHEN kept THEN name ELSE '(other)' END AS name, sum(cost_usd) AS cost_usd, sum(calls)::BIGINT AS calls,
    sum(unknown)::BIGINT AS unknown, count(*) AS names
FROM placed
GROUP BY part, kept, CASE WHEN kept THEN name ELSE '(other)' END
ORDER BY part, kept DESC, cost_usd DESC, calls DESC, name
