-- Duration of the calls of one kind over time, in ms.
-- Parameters: start (naive UTC time), bucket_seconds, kind (model or tool). Columns: time (unix ms), p50, p95, p99, number, failed.
SELECT
    epoch_ms(time_bucket(to_seconds($bucket_seconds), started_at)) AS time,
    quantile_cont(duration_ms, 0.50) AS p50,
    quantile_cont(duration_ms, 0.95) AS p95,
    quantile_cont(duration_ms, 0.99) AS p99,
    count(*) AS number,
    count(*) FILTER (status = 'error') AS failed
FROM steps
WHERE started_at >= $start AND kind = $kind AND source = 'span' AND duration_ms IS NOT NULL
GROUP BY ALL
ORDER BY time
