-- audit_writes: how long durable acknowledgements took, one row a report of a collector process (every 10 s with traffic) and class.
-- Percentiles are interpolated within the buckets that were counted; within_5ms and within_20ms are exact counts. For percentiles over
-- several reports or origins, add the buckets first: bucket_percentile(bucket_bounds_ms, added_buckets(bucket_counts), max(max_ms), 0.99).
WITH report AS (
    SELECT
        record_id, time, origin, attributes['class'] AS class, count AS writes, max * 1e3 AS max_ms,
        list_transform(bucket_bounds, lambda bound: bound * 1e3) AS bucket_bounds_ms, bucket_counts
    FROM metrics
    WHERE metric_name = 'auditlake.ack.duration' AND scope_name = 'auditlake.collector' AND type = 'histogram'
),
bucket AS (
    SELECT record_id, writes, max_ms, number, coalesce(bucket_bounds_ms[number - 1], 0) AS lower_ms, bucket_bounds_ms[number] AS upper_ms,
           bucket_counts[number] AS writes_here, list_sum(bucket_counts[1:number]) AS writes_so_far
    FROM report, LATERAL (SELECT unnest(generate_series(1, len(bucket_counts))) AS number)
),
placed AS (
    SELECT record_id, upper_ms, writes_here, fraction,
           writes_so_far >= fraction * writes AND writes_so_far - writes_here < fraction * writes AS holds,
           lower_ms + (coalesce(upper_ms, max_ms, lower_ms) - lower_ms)
               * (fraction * writes - (writes_so_far - writes_here)) / nullif(writes_here, 0) AS at_ms
    FROM bucket, (VALUES (0.5), (0.99)) AS wanted(fraction)
),
summed AS (
    SELECT record_id,
           coalesce(sum(writes_here) FILTER (fraction = 0.5 AND upper_ms <= 5.0000001), 0) AS within_5ms,
           coalesce(sum(writes_here) FILTER (fraction = 0.5 AND upper_ms <= 20.0000001), 0) AS within_20ms,
           min(at_ms) FILTER (holds AND fraction = 0.5) AS p50_ms,
           min(at_ms) FILTER (holds AND fraction = 0.99) AS p99_ms
    FROM placed
    GROUP BY record_id
)
SELECT
    record_id, time, origin, class, writes::BIGINT AS writes, within_5ms::BIGINT AS within_5ms, within_20ms::BIGINT AS within_20ms,
    least(p50_ms, max_ms) AS p50_ms, least(p99_ms, max_ms) AS p99_ms, max_ms, bucket_bounds_ms, bucket_counts
FROM report
JOIN summed USING (record_id)
