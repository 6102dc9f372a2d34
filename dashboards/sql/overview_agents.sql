-- The agents that were heard of since `start`, and what their silence means (see the view agent_liveness), the worst first.
-- Parameters: start (naive UTC time).
SELECT
    agent_name, agent_id, tenant, state, last_beat, silent_seconds, interval_seconds, status, message, config_version,
    newest_config_version, upgrade_available, cpu_percent, memory_bytes
FROM agent_liveness
WHERE last_beat >= $start
ORDER BY list_position(['hung', 'down', 'late', 'alive', 'stopped'], state), agent_name, agent_id
