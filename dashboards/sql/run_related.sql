-- The other runs of a session, newest first.
-- Parameters: session_id, tenant (or NULL), run_id (this one, left out).
SELECT run_id, agent_name, name, started_at, status, duration_ms, cost_usd
FROM runs
WHERE session_id = $session_id AND run_id <> $run_id AND tenant IS NOT DISTINCT FROM $tenant
ORDER BY started_at DESC
LIMIT 20
