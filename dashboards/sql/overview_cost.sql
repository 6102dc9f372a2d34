-- Spend by agent and by model. Only inference calls count, each once; calls without a known price are counted apart and are not 0.
-- Parameters: start (naive UTC time). Columns: part (agent or model), name, cost_usd, calls, unknown; the twelve largest of each part.
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
)
SELECT *
FROM summed
QUALIFY row_number() OVER (PARTITION BY part ORDER BY cost_usd DESC, calls DESC, name) <= 12
ORDER BY part, cost_usd DESC, calls DESC, name
