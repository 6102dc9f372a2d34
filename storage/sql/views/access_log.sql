-- access_log: one row each time someone read, queried, exported or changed something (written by auditlake itself).
SELECT
    record_id, time, event_name, actor, action, resource, outcome, reason_code, run_id, tenant, body AS message, attributes, origin
FROM events
WHERE scope_name = 'auditlake.access'
