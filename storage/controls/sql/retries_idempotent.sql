-- title: Every repeated call with a side effect carries an idempotency key
-- rationale: A retry without a key may do the same thing twice: pay, send, delete.
-- reference: SOC 2 PI1.3
SELECT
    record_id, run_id, time, agent_name, tenant, release, tool_name, retry_count,
    CASE WHEN coalesce(trim(idempotency_key), '') = '' THEN 'it was retried without an idempotency key' END AS problem
FROM tool_authorizations
WHERE retry_count > 0 AND nullif(trim(lower(side_effect)), '') NOT IN ('none', 'read')
