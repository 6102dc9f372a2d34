-- redaction_log: one row a record and entity that redaction found in it. Entity WITHHELD counts values that were withheld because
-- redaction failed, BLOCKED_KEY values that were removed for their key.
SELECT record_id, time, source, origin, run_id, tenant, environment, agent_name, policy_hash, found.key AS entity, found.value AS findings
FROM (
    SELECT record_id, start_time AS time, 'span' AS source, origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
           unnest(map_entries(redactions)) AS found
    FROM spans WHERE cardinality(redactions) > 0
    UNION ALL
    SELECT record_id, time, 'event', origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
           unnest(map_entries(redactions))
    FROM events WHERE cardinality(redactions) > 0
    UNION ALL
    SELECT record_id, time, 'metric', origin, run_id, tenant, environment, agent_name, policy_hash, scope_name,
           unnest(map_entries(redactions))
    FROM metrics WHERE cardinality(redactions) > 0
)
WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
