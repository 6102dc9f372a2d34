-- access_log: one row each time someone read, queried, exported or changed something (written by auditlake itself). statement is what was
-- asked, cleaned like anything else; rows is how many were shown; client is from where.
SELECT
    record_id, time, event_name, actor, action, resource, outcome, reason_code,
    try_cast(attributes['auditlake.access.rows'] AS BIGINT) AS rows, attributes['auditlake.access.statement'] AS statement,
    attributes['auditlake.access.reason'] AS reason, attributes['client.address'] AS client, attributes['auditlake.access.via'] AS via,
    run_id, tenant, body AS message, attributes, origin
FROM events
WHERE scope_name = 'auditlake.access'
    OR (scope_name = 'auditlake.collector' AND event_name = 'config.reload')
    OR (scope_name = 'auditlake.alerts' AND event_name = 'rules.reload')
