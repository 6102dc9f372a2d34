-- The ids of the runs that name a session.
-- Parameters: session_id, tenant (or NULL).
SELECT DISTINCT run_id
FROM steps
WHERE session_id = $session_id AND tenant IS NOT DISTINCT FROM $tenant AND run_id IS NOT NULL
