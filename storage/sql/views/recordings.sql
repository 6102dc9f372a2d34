-- recordings: one row a value that a recording rule recorded (written by the alert process), at the $eval_ts of the evaluation. labels is a
-- map of names to texts. record_id is NULL for what the alert process itself recorded a moment ago and is not sealed yet.
WITH told AS (
    SELECT
        record_id, time, attributes['auditlake.recording.name'] AS name, attributes['auditlake.recording.group'] AS rule_group,
        attributes['auditlake.recording.labels'] AS labels, try_cast(attributes['auditlake.recording.value'] AS DOUBLE) AS value
    FROM events
    WHERE event_name = 'rule.recorded' AND scope_name = 'auditlake.alerts'
    UNION ALL
    SELECT NULL, time, name, rule_group, labels, value
    FROM internal.recordings
)
SELECT
    min(record_id) AS record_id, time, name, any_value(rule_group) AS rule_group,
    CAST(CAST(labels AS JSON) AS MAP(VARCHAR, VARCHAR)) AS labels, any_value(value) AS value
FROM told
GROUP BY time, name, told.labels
