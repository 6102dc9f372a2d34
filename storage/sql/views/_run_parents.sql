-- internal.run_parents: how the records of each run stand to their parents. Columns: run_id, orphans (records whose parent never came),
-- early (records that begin more than a millisecond before their parent).
SELECT run_id, count(*) FILTER (parent_ns IS NULL) AS orphans, count(*) FILTER (start_ns < parent_ns - 1000000) AS early
FROM (SELECT run_id, parent_key, start_ns FROM internal.step_keys WHERE run_id IS NOT NULL AND parent_key IS NOT NULL)
LEFT JOIN (SELECT hash(trace_id, span_id) AS parent_key, min(start_ns) AS parent_ns FROM internal.span_rows GROUP BY ALL)
    USING (parent_key)
GROUP BY run_id
