-- What the collectors received and sealed over time.
-- Parameters: start (naive UTC time), bucket_seconds. Columns: time (unix ms), received, stored, lost, deduplicated, withheld, lag_ms (p99).
SELECT
    epoch_ms(time_bucket(to_seconds($bucket_seconds), sealed_at)) AS time,
    sum(received) AS received,
    sum(stored) AS stored,
    sum(rejected + quarantined) AS lost,
    sum(deduplicated) AS deduplicated,
    sum(withheld) AS withheld,
    quantile_cont(lag_ms, 0.99) AS lag_ms
FROM ingest_log
WHERE sealed_at >= $start
GROUP BY ALL
ORDER BY time
