-- The other runs of a session, newest first.
-- Parameters: run_ids (list).
SELECT run_id, agent_name, name, started_at, status, duration_ms, cost_usd
FROM runs
WHERE list_contains($run_ids::VARCHAR[], run_id)
ORDER BY started_at DESC
LIMIT 20
