-- The tiles of Overview: the runs of the window beside those of the equally long window before it.
-- Parameters: previous, start (naive UTC times: both windows have the same length).
SELECT
    count(*) FILTER (started_at >= $start) AS runs,
    count(*) FILTER (started_at < $start) AS runs_before,
    count(*) FILTER (started_at >= $start AND status IN ('ok', 'error', 'abandoned')) AS ended,
    count(*) FILTER (started_at < $start AND status IN ('ok', 'error', 'abandoned')) AS ended_before,
    count(*) FILTER (started_at >= $start AND status = 'error') AS failed,
    count(*) FILTER (started_at < $start AND status = 'error') AS failed_before,
    count(*) FILTER (started_at >= $start AND status = 'running') AS running,
    count(*) FILTER (started_at >= $start AND status = 'abandoned') AS abandoned,
    quantile_cont(duration_ms, 0.95) FILTER (started_at >= $start AND ended_at IS NOT NULL) AS p95_ms,
    quantile_cont(duration_ms, 0.95) FILTER (started_at < $start AND ended_at IS NOT NULL) AS p95_before_ms,
    sum(cost_usd) FILTER (started_at >= $start) AS cost_usd,
    sum(cost_usd) FILTER (started_at < $start) AS cost_before_usd,
    sum(model_calls) FILTER (started_at >= $start) AS model_calls,
    sum(unpriced_calls) FILTER (started_at >= $start) AS unpriced_calls,
    sum(redactions) FILTER (started_at >= $start) AS redactions,
    sum(withheld) FILTER (started_at >= $start) AS withheld,
    count(*) FILTER (started_at >= $start AND redactions > 0) AS redacted_runs
FROM runs
WHERE started_at >= $previous
