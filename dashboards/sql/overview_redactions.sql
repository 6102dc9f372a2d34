-- What redaction found in the window, by entity and agent. WITHHELD counts values that were left out because redaction failed on them.
-- Parameters: start (naive UTC time). Columns: entity, agent_name, found, records, last_seen.
SELECT entity, agent_name, sum(findings)::BIGINT AS found, count(DISTINCT record_id) AS records, max(time) AS last_seen
FROM redaction_log
WHERE time >= $start AND entity <> 'KEPT'
GROUP BY entity, agent_name
ORDER BY entity <> 'WITHHELD', found DESC, entity, agent_name
LIMIT 50
