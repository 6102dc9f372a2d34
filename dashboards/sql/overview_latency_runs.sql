-- Duration of ended runs over time, in ms.
-- Parameters: start (naive UTC time), bucket_seconds. Columns: time (unix ms of the bucket's start), p50, p95, p99, number.
SELECT
    epoch_ms(time_bucket(to_seconds($bucket_seconds), started_at)) AS time,
    quantile_cont(duration_ms, 0.50) AS p50,
    quantile_cont(duration_ms, 0.95) AS p95,
    quantile_cont(duration_ms, 0.99) AS p99,
    count(*) AS number
FROM runs
WHERE started_at >= $start AND ended_at IS NOT NULL
GROUP BY ALL
ORDER BY time
