-- heartbeats: one row each time an agent said that it is alive, or (shutdown) that it ends on purpose. What silence means is in agent_liveness.
SELECT
    record_id, started_at AS time, agent_name, agent_id, tenant, environment, release,
    attributes['auditlake.heartbeat.status'] AS status,
    coalesce(attributes['auditlake.heartbeat.message'], body) AS message,
    try_cast(attributes['auditlake.heartbeat.interval_seconds'] AS DOUBLE) AS interval_seconds,
    attributes['auditlake.heartbeat.config_version'] AS config_version,
    attributes['auditlake.heartbeat.newest_config_version'] AS newest_config_version,
    attributes['auditlake.heartbeat.newest_config_version'] <> attributes['auditlake.heartbeat.config_version'] AS upgrade_available,
    try_cast(attributes['auditlake.heartbeat.cpu_percent'] AS DOUBLE) AS cpu_percent,
    try_cast(attributes['auditlake.heartbeat.memory_bytes'] AS BIGINT) AS memory_bytes,
    event_name = 'agent.shutdown' AS shutdown, run_id
FROM internal.named_events
WHERE event_name IN ('heartbeat', 'agent.shutdown')
