-- One page of the Runs list, with the totals of the whole filter beside every row.
-- Parameters: start, until (naive UTC times); agents, tenants, releases, environments, statuses, models, tools (lists or NULL: any);
-- min_cost (USD or NULL), min_duration (ms or NULL), text (or NULL: found in the run's ids, its steps' names, content and attributes);
-- sort (newest oldest slowest costliest errors steps tokens), page_size, skip.
WITH chosen AS (
    SELECT * FROM runs
    WHERE started_at >= $start AND started_at < $until
        AND ($agents IS NULL OR list_contains($agents::VARCHAR[], agent_name))
        AND ($tenants IS NULL OR list_contains($tenants::VARCHAR[], tenant))
        AND ($releases IS NULL OR list_contains($releases::VARCHAR[], release))
        AND ($environments IS NULL OR list_contains($environments::VARCHAR[], environment))
        AND ($statuses IS NULL OR list_contains($statuses::VARCHAR[], status))
        AND ($min_cost IS NULL OR cost_usd >= $min_cost::DOUBLE)
        AND ($min_duration IS NULL OR duration_ms >= $min_duration::DOUBLE)
        AND ($models IS NULL OR run_id IN (
            SELECT run_id FROM steps
            WHERE kind = 'model' AND list_contains($models::VARCHAR[], coalesce(model, model_requested))
        ))
        AND ($tools IS NULL OR run_id IN (SELECT run_id FROM steps WHERE kind = 'tool' AND list_contains($tools::VARCHAR[], tool_name)))
        AND ($text IS NULL OR run_id IN (
            SELECT run_id FROM steps
            WHERE contains(
                lower(concat_ws(' ', run_id, session_id, actor, agent_name, name, tool_name, error_type, status_message, body)),
                lower($text::VARCHAR)
            ) OR len(list_filter(map_values(attributes), lambda text : contains(lower(text), lower($text::VARCHAR)))) > 0
        ))
)
SELECT
    started_at, status, agent_name, name, duration_ms, cost_usd, unpriced_calls, steps, model_calls, tool_calls, errors,
    input_tokens + output_tokens AS tokens, stop_reason, tenant, environment, release, actor, session_id, redactions, withheld, orphans, gaps, run_id,
    count(*) OVER () AS total,
    sum(cost_usd) OVER () AS total_cost_usd,
    count(*) FILTER (status = 'error') OVER () AS total_failed
FROM chosen
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
