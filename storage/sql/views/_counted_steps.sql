-- internal.counted_steps: all_steps with `counted` and `retried` (see _uncounted.sql), for who needs them of every step.
SELECT s.*, s.kind = 'model' AND u.record_key IS NULL AS counted, coalesce(u.retried, false) AS retried
FROM internal.all_steps AS s
LEFT JOIN internal.uncounted AS u ON u.record_key = CASE WHEN s.kind = 'model' THEN hash(s.origin, s.entry, s.entry_row) END
