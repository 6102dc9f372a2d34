-- agent_liveness: one row an agent that ever sent a heartbeat (tenant, environment, agent_name, agent_id), and what its silence means now.
-- state: stopped, it said that it ended; alive, within 1.5 of its own intervals; late, within 3; else down, or hung when it was still
-- sending spans long after its last beat. An agent that declared no interval is late after 15 and down after 30 minutes; no interval counts
-- as shorter than 20 seconds. What the last beat does not say is as an earlier one said it. A stopped agent that sends spans again is `alive`
-- only with its next beat. Spans of the last day are looked at, so what is hung longer is down.
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
working AS (
    SELECT tenant, environment, agent_name, agent_id, make_timestamp_ns(max(greatest(start_ns, coalesce(end_ns, 0))))::TIMESTAMP AS last_span
    FROM internal.span_rows
    WHERE start_ns > epoch_ns(getvariable('lake').now) - 86_400_000_000_000
        AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
    GROUP BY ALL
),
measured AS (
    SELECT
        b.*, w.last_span,
        greatest(date_diff('millisecond', b.last_beat, getvariable('lake').now) / 1e3, 0) AS silent_seconds,
        CASE WHEN b.interval_seconds IS NULL THEN 900 ELSE 1.5 * greatest(b.interval_seconds, 20) END AS late_seconds,
        CASE WHEN b.interval_seconds IS NULL THEN 1800 ELSE 3 * greatest(b.interval_seconds, 20) END AS down_seconds
    FROM by_agent AS b
    LEFT JOIN working AS w
        ON w.agent_name IS NOT DISTINCT FROM b.agent_name AND w.agent_id IS NOT DISTINCT FROM b.agent_id
        AND w.tenant IS NOT DISTINCT FROM b.tenant AND w.environment IS NOT DISTINCT FROM b.environment
)
SELECT
    agent_name, agent_id, tenant, environment, release,
    CASE
        WHEN ended THEN 'stopped'
        WHEN silent_seconds <= late_seconds THEN 'alive'
        WHEN silent_seconds <= down_seconds THEN 'late'
        WHEN last_span > last_beat + to_seconds(down_seconds) THEN 'hung'
        ELSE 'down'
    END AS state,
    first_beat, last_beat, silent_seconds, interval_seconds, down_seconds,
    CASE WHEN NOT ended AND interval_seconds > 0 THEN greatest(floor(silent_seconds / interval_seconds) - 1, 0)::BIGINT END AS missed_beats,
    last_span, beats, status, message, config_version, newest_config_version,
    newest_config_version <> config_version AS upgrade_available, cpu_percent, memory_bytes
FROM measured
