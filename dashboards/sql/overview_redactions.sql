-- What redaction found in the window, by entity and agent. WITHHELD counts values that were left out because redaction failed on them.
-- Parameters: start (naive UTC time). Columns: entity, agent_name (those beyond the twelve with most receipts are (other)), found, records,
-- last_seen, agents (how many names the row stands for).
WITH receipt AS (
    SELECT entity, agent_name, findings, record_id, time FROM redaction_log WHERE time >= $start AND entity <> 'KEPT'
),
kept AS (
    SELECT top_names(agent_name, 12) AS names FROM receipt
)
SELECT
    entity, bounded_name(agent_name, kept.names) AS agent_name, sum(findings)::BIGINT AS found, count(DISTINCT record_id) AS records,
    max(time) AS last_seen, count(DISTINCT agent_name) AS agents
FROM receipt, kept
GROUP BY entity, bounded_name(agent_name, kept.names)
ORDER BY entity <> 'WITHHELD', found DESC, entity, agent_name
