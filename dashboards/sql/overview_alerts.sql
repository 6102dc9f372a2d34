-- The alerts that are not over: of each fingerprint the newest transition, when it is firing, pending or in error.
-- Parameters: start (naive UTC time: transitions before it are not looked at).
SELECT alertname, state, severity, value, summary, labels, fingerprint, rule_group, time, active_at, run_id
FROM (
    SELECT * FROM alert_log
    WHERE kind = 'transition' AND time >= $start
    QUALIFY row_number() OVER (PARTITION BY alertname, fingerprint ORDER BY time DESC) = 1
)
WHERE state IN ('firing', 'pending', 'error')
    AND severity IS DISTINCT FROM 'none' -- a dead-man's switch always fires
ORDER BY
    CASE state WHEN 'firing' THEN 0 WHEN 'error' THEN 1 ELSE 2 END,
    CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,
    time DESC
