-- alert_log: one row a thing that became of alerts, by its kind: a transition or a notification (written by the alert process), a silence
-- or an acknowledgement (written by a command). labels is a JSON object; of a notification it holds the labels of its group. firing and
-- resolved are the fingerprints that a notification told.
SELECT
    record_id, time, event_name[7:] AS kind,
    attributes['auditlake.alert.name'] AS alertname, attributes['auditlake.alert.group'] AS rule_group,
    attributes['auditlake.alert.state'] AS state, attributes['auditlake.alert.severity'] AS severity,
    try_cast(attributes['auditlake.alert.value'] AS DOUBLE) AS value,
    attributes['auditlake.alert.labels'] AS labels, attributes['auditlake.alert.summary'] AS summary,
    attributes['auditlake.alert.annotations'] AS annotations, attributes['auditlake.alert.fingerprint'] AS fingerprint,
    try_cast(try_cast(attributes['auditlake.alert.active_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS active_at,
    try_cast(try_cast(attributes['auditlake.alert.evaluated_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS evaluated_at,
    attributes['auditlake.alert.receiver'] AS receiver, attributes['auditlake.alert.group_key'] AS group_key,
    try_cast(attributes['auditlake.alert.attempts'] AS BIGINT) AS attempts, attributes['auditlake.alert.error'] AS error,
    try_cast(try_cast(attributes['auditlake.alert.firing'] AS JSON) AS VARCHAR[]) AS firing,
    try_cast(try_cast(attributes['auditlake.alert.resolved'] AS JSON) AS VARCHAR[]) AS resolved,
    attributes['auditlake.alert.silence_id'] AS silence_id,
    try_cast(try_cast(attributes['auditlake.alert.matchers'] AS JSON) AS VARCHAR[]) AS matchers,
    try_cast(try_cast(attributes['auditlake.alert.starts_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS starts_at,
    try_cast(try_cast(attributes['auditlake.alert.ends_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS ends_at,
    outcome, actor, attributes['auditlake.access.reason'] AS reason, run_id
FROM events
WHERE (scope_name = 'auditlake.alerts' AND event_name IN ('alert.transition', 'alert.notification'))
    OR (scope_name = 'auditlake.access' AND event_name IN ('alert.silence', 'alert.ack'))
