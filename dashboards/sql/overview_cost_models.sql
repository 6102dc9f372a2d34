-- Spend by model. Only inference calls count, each once; calls without a known price are counted apart and are not 0.
-- Parameters: start (naive UTC time). Columns: name, cost_usd, calls, unknown.
SELECT
    coalesce(model, model_requested, '(no model named)') AS name,
    coalesce(sum(cost_usd), 0) AS cost_usd,
    count(*) AS calls,
    count(*) FILTER (cost_usd IS NULL) AS unknown
FROM steps
WHERE started_at >= $start AND kind = 'model' AND counted
GROUP BY ALL
ORDER BY cost_usd DESC, calls DESC, name
LIMIT 12
