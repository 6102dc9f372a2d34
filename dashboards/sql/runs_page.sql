-- One page of the Runs list, with the totals of the whole filter beside every row.
-- Parameters: start, until (naive UTC times), sort (newest oldest slowest costliest errors steps tokens), page_size, skip, and those of the
-- filters that are set (dashboards/sql/runs_filters/).
SELECT
    started_at, status, agent_name, name, duration_ms, cost_usd, unpriced_calls, steps, model_calls, tool_calls, errors,
    input_tokens + output_tokens AS tokens, stop_reason, tenant, environment, release, actor, session_id, redactions, withheld,
    orphans, gaps, run_id,
    count(*) OVER () AS total,
    sum(cost_usd) OVER () AS total_cost_usd,
    count(*) FILTER (status = 'error') OVER () AS total_failed
FROM runs
WHERE started_at >= $start AND started_at < $until
-- and the filters that are set
ORDER BY
    CASE $sort
        WHEN 'newest' THEN epoch_us(started_at)
        WHEN 'oldest' THEN -epoch_us(started_at)
        WHEN 'slowest' THEN duration_ms
        WHEN 'costliest' THEN cost_usd
        WHEN 'errors' THEN errors
        WHEN 'steps' THEN steps
        WHEN 'tokens' THEN input_tokens + output_tokens
    END DESC NULLS LAST,
    started_at DESC, run_id
LIMIT $page_size OFFSET $skip
