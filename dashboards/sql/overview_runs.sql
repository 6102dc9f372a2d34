-- The runs of the window and of the equally long one before it, in one pass: the tiles, the outcomes and the latency of Overview.
-- Parameters: previous, start (naive UTC times), bucket_seconds.
-- Columns: part ('now' and 'before': one row each, for the tiles; 'status': a row a bucket and status; 'time': a row a bucket), time (unix ms of the
-- bucket's start), status, runs, ended, failed, abandoned, redacted_runs, cost_usd, model_calls, unpriced_calls, redactions, withheld, p50, p95, p99 (ms).
WITH chosen AS MATERIALIZED (
    SELECT
        CASE WHEN started_at >= $start THEN 'now' ELSE 'before' END AS period,
        CASE WHEN started_at >= $start THEN epoch_ms(time_bucket(to_seconds($bucket_seconds), started_at)) END AS time,
        status,
        CASE WHEN ended_at IS NOT NULL THEN duration_ms END AS took_ms,
        cost_usd, model_calls, unpriced_calls, redactions, withheld
    FROM runs
    WHERE started_at >= $previous
)
SELECT
    CASE GROUPING(period, time, status) WHEN 3 THEN period WHEN 4 THEN 'status' ELSE 'time' END AS part,
    time, status,
    count(*) AS runs,
    count(*) FILTER (status <> 'running') AS ended,
    count(*) FILTER (status = 'error') AS failed,
    count(*) FILTER (status = 'abandoned') AS abandoned,
    count(*) FILTER (redactions > 0) AS redacted_runs,
    sum(cost_usd) AS cost_usd,
    sum(model_calls) AS model_calls, sum(unpriced_calls) AS unpriced_calls, sum(redactions) AS redactions, sum(withheld) AS withheld,
    quantile_cont(took_ms, 0.50) AS p50, quantile_cont(took_ms, 0.95) AS p95, quantile_cont(took_ms, 0.99) AS p99
FROM chosen
GROUP BY GROUPING SETS ((period), (time, status), (time))
HAVING GROUPING(time) = 1 OR time IS NOT NULL
ORDER BY part, time, status
