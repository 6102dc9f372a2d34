-- agent_metrics: one row a point of the vocabulary's metrics (auditlake.cognitive.*, operational.*, business.*, safety.*), with what it adds.
-- new_count, new_sum and new_bucket_counts are what came since the point before, whether sums were sent as they grow or as they come; add them
-- up over any time, and new_sum / new_count is the mean. A counter (type sum) has new_sum alone. A series is one set of labels of one process.
WITH point AS (
    SELECT
        record_id, time, time_ns, metric_name, split_part(metric_name, '.', 2) AS subject, unit, type, temporality,
        coalesce(sum, value) AS total, count, bucket_bounds, bucket_counts, min, max, attributes AS labels,
        attributes['auditlake.task.type'] AS task_type, attributes['auditlake.outcome'] AS outcome, tool_name, model,
        tenant, environment, release, agent_name, agent_id,
        coalesce(start_ns, 0) AS start_ns, hash(resource_attributes::VARCHAR, scope_name, attributes::VARCHAR) AS series
    FROM metrics
    WHERE regexp_matches(metric_name, '^auditlake\.(cognitive|operational|business|safety)\.') AND resent IS NOT TRUE
),
followed AS (
    SELECT
        *,
        CASE
            WHEN temporality = 'cumulative' AND lag(start_ns) OVER line = start_ns AND lag(coalesce(count, 0)) OVER line <= coalesce(count, 0)
                AND (count IS NOT NULL OR lag(total) OVER line <= total)
            THEN {'count': lag(count) OVER line, 'total': lag(total) OVER line, 'buckets': lag(bucket_counts) OVER line}
        END AS before -- NULL where the series begins, or began anew
    FROM point
    WINDOW line AS (PARTITION BY metric_name, series ORDER BY time_ns, record_id)
)
SELECT
    record_id, time, metric_name, subject, unit, type,
    (count::HUGEINT - coalesce(before.count, 0))::BIGINT AS new_count,
    CASE WHEN type <> 'gauge' THEN total - coalesce(before.total, 0) END AS new_sum,
    CASE
        WHEN before.buckets IS NULL THEN bucket_counts::BIGINT[]
        ELSE list_transform(list_zip(bucket_counts, before.buckets), lambda pair: pair[1]::BIGINT - pair[2]::BIGINT)
    END AS new_bucket_counts,
    bucket_bounds, CASE type WHEN 'gauge' THEN total END AS value, min, max,
    labels, task_type, outcome, tool_name, model, tenant, environment, release, agent_name, agent_id
FROM followed
