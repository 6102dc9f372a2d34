-- Runs by outcome over time.
-- Parameters: start (naive UTC time), bucket_seconds. Columns: time (unix ms of the bucket's start), status, runs.
SELECT epoch_ms(time_bucket(to_seconds($bucket_seconds), started_at)) AS time, status, count(*) AS runs
FROM runs
WHERE started_at >= $start
GROUP BY ALL
ORDER BY ALL
