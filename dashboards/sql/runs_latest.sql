-- A few recent runs, for a Run page that was opened without one.
-- Parameters: start (naive UTC time).
SELECT run_id, agent_name, name, started_at, status, duration_ms
FROM runs
WHERE started_at >= $start
ORDER BY started_at DESC
LIMIT 8
