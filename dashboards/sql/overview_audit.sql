-- Durable acknowledgement of audit-class writes over time, against the thresholds of 5 and 20 ms.
-- Parameters: start (naive UTC time), bucket_seconds, write_class (audit or bulk).
-- Columns: time (unix ms), p50, p99 (ms, of all collectors together), writes, within_5ms, within_20ms.
SELECT
    epoch_ms(time_bucket(to_seconds($bucket_seconds), time)) AS time,
    bucket_percentile(any_value(bucket_bounds_ms), added_buckets(bucket_counts), max(max_ms), 0.5) AS p50,
    bucket_percentile(any_value(bucket_bounds_ms), added_buckets(bucket_counts), max(max_ms), 0.99) AS p99,
    sum(writes) AS writes,
    sum(within_5ms) AS within_5ms,
    sum(within_20ms) AS within_20ms
FROM audit_writes
WHERE time >= $start AND class = $write_class
GROUP BY ALL
ORDER BY time
