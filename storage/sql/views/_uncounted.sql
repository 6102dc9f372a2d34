-- internal.uncounted: the inference steps whose tokens and cost must not be summed, by record key. Few, so the rest is cheap.
-- Wrappers repeat the totals of what they wrap, and frameworks report one call several times. A step counts unless
--   * it lies in another inference step (directly, or with one step of kind other between them) that knows its tokens, or
--   * it knows no tokens itself and an inference step within it does, or
--   * its run has another counting step with the same response_id that is better informed or came first.
-- Columns: record_key (hash of origin, entry, entry_row).
WITH model AS MATERIALIZED (
    SELECT
        record_key, span_key, parent_key, CASE WHEN response_id IS NOT NULL THEN hash(run_id, response_id) END AS call_key, informed,
        source = 'span' AS is_span, start_ns
    FROM internal.step_keys
    WHERE kind = 'model'
),
between_them AS (
    SELECT span_key, parent_key
    FROM internal.step_keys
    WHERE kind = 'other' AND source = 'span' AND parent_key IS NOT NULL
),
pairs AS (
    SELECT i.record_key AS inner_key, i.informed AS inner_informed, o.record_key AS outer_key, o.informed AS outer_informed
    FROM model AS i
    JOIN model AS o ON o.span_key = i.parent_key
    UNION ALL
    SELECT i.record_key, i.informed, o.record_key, o.informed
    FROM between_them AS b
    JOIN model AS o ON o.span_key = b.parent_key
    JOIN model AS i ON i.parent_key = b.span_key
),
nested AS (
    SELECT CASE WHEN outer_informed OR NOT inner_informed THEN inner_key ELSE outer_key END AS record_key FROM pairs
),
repeated AS (
    SELECT call_key FROM model WHERE call_key IS NOT NULL GROUP BY call_key HAVING count(*) > 1
)
SELECT record_key FROM nested
UNION
SELECT record_key
FROM model
SEMI JOIN repeated USING (call_key)
ANTI JOIN nested USING (record_key)
QUALIFY row_number() OVER (PARTITION BY call_key ORDER BY informed DESC, is_span DESC, start_ns, record_key) > 1
