-- internal.counted_steps: all_steps with `counted` and `retried`, for who needs them of every step: which inference steps count says
-- _uncounted.sql, and of which agents the totals do, _agent_totals.sql.
SELECT
    s.*,
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
