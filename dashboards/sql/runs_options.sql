-- What the filters of Runs offer: the values that occur in the window, the most frequent first.
-- Parameters: start (naive UTC time). Columns: field, value, number.
SELECT field, value, count(*) AS number
FROM (
    SELECT started_at, unnest([
        {'field': 'agent', 'value': agent_name},
        {'field': 'tenant', 'value': tenant},
        {'field': 'release', 'value': release},
        {'field': 'environment', 'value': environment},
        {'field': 'model', 'value': CASE kind WHEN 'model' THEN coalesce(model, model_requested) END},
        {'field': 'tool', 'value': CASE kind WHEN 'tool' THEN tool_name END}
    ], recursive := true)
    FROM steps
    WHERE started_at >= $start
)
WHERE value IS NOT NULL
GROUP BY field, value
QUALIFY row_number() OVER (PARTITION BY field ORDER BY number DESC, value) <= 200
ORDER BY field, number DESC, value
