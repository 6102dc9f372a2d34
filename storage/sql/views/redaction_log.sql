-- redaction_log: one row a record and receipt: what redaction found in it, by which rule, under which key. Entity WITHHELD counts values
-- that were withheld because redaction failed (rule says why), BLOCKED_KEY values that were removed for their key, KEPT what the policy
-- leaves in place. A copy of a request that was stored before was redacted as well, and is told as well. rule and key are NULL for records of schema version 1, which counted by entity alone.
SELECT
    record_id, time, source, origin, run_id, tenant, environment, agent_name, policy_hash,
    found.entity AS entity, found.rule AS rule, found.key AS key, found.count AS findings
FROM (
    SELECT
        record_id, time, source, origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
        unnest(coalesce(
            redaction_receipts,
            list_transform(
                map_entries(redactions),
                lambda each: {'entity': each.key, 'rule': NULL::VARCHAR, 'key': NULL::VARCHAR, 'count': each.value}
            )
        )) AS found
    FROM (
        SELECT
            record_id, start_time AS time, 'span' AS source, origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
            redactions, redaction_receipts
        FROM spans WHERE cardinality(redactions) > 0 OR len(redaction_receipts) > 0
        UNION ALL
        SELECT
            record_id, time, 'event', origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
            redactions, redaction_receipts
        FROM events WHERE cardinality(redactions) > 0 OR len(redaction_receipts) > 0
        UNION ALL
        SELECT
            record_id, time, 'metric', origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
            redactions, redaction_receipts
        FROM metrics WHERE cardinality(redactions) > 0 OR len(redaction_receipts) > 0
    )
)
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
