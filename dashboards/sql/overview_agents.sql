-- The last heartbeat of every agent, and what its silence means: alive within 1.5 of its own intervals, late within 3, else down;
-- stopped when it said that it ended. An agent that declares no interval is judged by one of 60 s.
-- Parameters: start (naive UTC time: agents unheard of since then are not listed), now (naive UTC time).
WITH last AS (
    SELECT *, date_diff('millisecond', time, $now) / 1e3 AS silent_seconds, coalesce(interval_seconds, 60) AS interval
    FROM heartbeats
    WHERE time >= $start
    QUALIFY row_number() OVER (PARTITION BY agent_name, agent_id ORDER BY time DESC) = 1
)
SELECT
    agent_name, agent_id, tenant,
    CASE
        WHEN shutdown THEN 'stopped'
        WHEN silent_seconds <= 1.5 * interval THEN 'alive'
        WHEN silent_seconds <= 3 * interval THEN 'late'
        ELSE 'down'
    END AS state,
    time AS last_beat, silent_seconds, interval AS interval_seconds, status, message, config_version, newest_config_version, cpu_percent, memory_bytes
FROM last
ORDER BY CASE state WHEN 'down' THEN 0 WHEN 'late' THEN 1 WHEN 'alive' THEN 2 ELSE 3 END, agent_name, agent_id
