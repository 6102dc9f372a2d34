-- internal.counted_steps: all_steps with `counted` and `retried`, for who needs them of every step: which inference steps count says
-- _uncounted.sql, and of which agents the totals do, _agent_totals.sql. The total of any other agent repeats its calls: what a step took is
-- said once, so it has none here; `spans` shows what was sent.
SELECT
    s.* REPLACE (
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.input_tokens END AS input_tokens,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.output_tokens END AS output_tokens,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.cache_read_tokens END AS cache_read_tokens,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.cache_write_tokens END AS cache_write_tokens,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.reasoning_tokens END AS reasoning_tokens,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.cost_usd END AS cost_usd,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.cost_source END AS cost_source,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.sent_cost_usd END AS sent_cost_usd,
        CASE WHEN s.kind NOT IN ('agent', 'run') OR a.record_key IS NOT NULL THEN s.cache_savings_usd END AS cache_savings_usd
    ),
    CASE s.kind
        WHEN 'model' THEN u.record_key IS NULL
        WHEN 'agent' THEN a.record_key IS NOT NULL
        WHEN 'run' THEN a.record_key IS NOT NULL
        ELSE false
    END AS counted,
    coalesce(u.retried, false) AS retried
FROM internal.all_steps AS s
LEFT JOIN internal.uncounted AS u ON u.record_key = CASE WHEN s.kind = 'model' THEN hash(s.origin, s.entry, s.entry_row) END
LEFT JOIN internal.agent_totals AS a
    ON a.record_key = CASE WHEN s.kind IN ('agent', 'run') AND s.source = 'span' THEN hash(s.origin, s.entry, s.entry_row) END
