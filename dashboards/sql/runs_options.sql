-- What the filters of Runs offer: the values that occur in the window, the most frequent first, at most 200 of each.
-- Parameters: start (naive UTC time). Columns: field, value, number.
WITH said AS (
    SELECT
        agent_name AS agent, tenant, release, environment,
        CASE kind WHEN 'model' THEN coalesce(model, model_requested) END AS model,
        CASE kind WHEN 'tool' THEN tool_name END AS tool
    FROM steps
    WHERE started_at >= $start
),
counted AS (
    SELECT
        CASE GROUPING(agent, tenant, release, environment, model, tool)
            WHEN 31 THEN 'agent' WHEN 47 THEN 'tenant' WHEN 55 THEN 'release' WHEN 59 THEN 'environment' WHEN 61 THEN 'model' ELSE 'tool'
        END AS field,
        coalesce(agent, tenant, release, environment, model, tool) AS value,
        count(*) AS number
    FROM said
    GROUP BY GROUPING SETS ((agent), (tenant), (release), (environment), (model), (tool))
)
SELECT field, value, number
FROM counted
WHERE value IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY field ORDER BY number DESC, value) <= 200
ORDER BY field, number DESC, value
