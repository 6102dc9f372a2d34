-- alert_log: one row a change of an alert's state (written by the alert process). labels is a JSON object.
SELECT
    record_id, time, attributes['auditlake.alert.name'] AS alertname, attributes['auditlake.alert.group'] AS rule_group,
    attributes['auditlake.alert.state'] AS state, attributes['auditlake.alert.severity'] AS severity,
    try_cast(attributes['auditlake.alert.value'] AS DOUBLE) AS value,
    attributes['auditlake.alert.labels'] AS labels, attributes['auditlake.alert.summary'] AS summary,
    attributes['auditlake.alert.fingerprint'] AS fingerprint,
    try_cast(try_cast(attributes['auditlake.alert.active_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS active_at,
    try_cast(try_cast(attributes['auditlake.alert.evaluated_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS evaluated_at,
    run_id
FROM events
WHERE event_name = 'alert.transition' AND scope_name = 'auditlake.alerts'
