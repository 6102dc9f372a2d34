-- agent_liveness: one row an agent that ever sent a heartbeat (tenant, environment, agent_name, agent_id), and what its silence means now.
-- state: stopped, it said that it ended; alive, within 1.5 of its own intervals; late, within 3; else down, or hung when it was still
-- sending spans long after its last beat. An agent that declared no interval is late after 15 and down after 30 minutes; no interval counts
-- as shorter than 20 seconds. What the last beat does not say is as an earlier one said it. Spans are looked at where an agent is silent,
-- those of the last day: what has been hung for longer is down.
-- Parameters: now (TIMESTAMP) of the variable `lake`.
WITH by_agent AS (
    SELECT
        tenant, environment, agent_name, agent_id,
        min(time) AS first_beat, max(time) AS last_beat, count(*) FILTER (NOT shutdown) AS beats,
        arg_max(shutdown, time) AS ended,
        arg_max(status, time) AS status, arg_max(message, time) AS message,
        arg_max(interval_seconds, time) AS interval_seconds,
        arg_max(config_version, time) AS config_version, arg_max(newest_config_version, time) AS newest_config_version,
        arg_max(cpu_percent, time) AS cpu_percent, arg_max(memory_bytes, time) AS memory_bytes, arg_max(release, time) AS release
    FROM heartbeats
    GROUP BY ALL
),
measured AS MATERIALIZED (
    SELECT
        *,
        greatest(date_diff('millisecond', last_beat, getvariable('lake').now) / 1e3, 0) AS silent_seconds,
        CASE WHEN interval_seconds IS NULL THEN 900 ELSE 1.5 * greatest(interval_seconds, 20) END AS late_seconds,
        CASE WHEN interval_seconds IS NULL THEN 1800 ELSE 3 * greatest(interval_seconds, 20) END AS down_seconds
    FROM by_agent
),
working AS (
    SELECT
        m.tenant, m.environment, m.agent_name, m.agent_id,
        make_timestamp_ns(max(greatest(s.start_ns, coalesce(s.end_ns, 0))))::TIMESTAMP AS last_span
    FROM internal.span_rows AS s
    JOIN measured AS m
        ON s.agent_name IS NOT DISTINCT FROM m.agent_name AND s.agent_id IS NOT DISTINCT FROM m.agent_id
        AND s.tenant IS NOT DISTINCT FROM m.tenant AND s.environment IS NOT DISTINCT FROM m.environment
    WHERE NOT m.ended AND m.silent_seconds > m.late_seconds
        AND s.start_ns > epoch_ns(getvariable('lake').now) - 86_400_000_000_000
        AND NOT coalesce(starts_with(s.scope_name, 'auditlake.'), false)
    GROUP BY ALL
)
SELECT
    m.agent_name, m.agent_id, m.tenant, m.environment, m.release,
    CASE
        WHEN m.ended THEN 'stopped'
        WHEN m.silent_seconds <= m.late_seconds THEN 'alive'
        WHEN m.silent_seconds <= m.down_seconds THEN 'late'
        WHEN w.last_span > m.last_beat + to_seconds(m.down_seconds) THEN 'hung'
        ELSE 'down'
    END AS state,
    m.first_beat, m.last_beat, m.silent_seconds, m.interval_seconds, m.down_seconds,
    CASE
        WHEN NOT m.ended AND m.interval_seconds > 0 THEN greatest(floor(m.silent_seconds / m.interval_seconds) - 1, 0)::BIGINT
    END AS missed_beats,
    w.last_span, m.beats, m.status, m.message, m.config_version, m.newest_config_version,
    m.newest_config_version <> m.config_version AS upgrade_available, m.cpu_percent, m.memory_bytes
FROM measured AS m
LEFT JOIN working AS w
    ON w.agent_name IS NOT DISTINCT FROM m.agent_name AND w.agent_id IS NOT DISTINCT FROM m.agent_id
    AND w.tenant IS NOT DISTINCT FROM m.tenant AND w.environment IS NOT DISTINCT FROM m.environment
