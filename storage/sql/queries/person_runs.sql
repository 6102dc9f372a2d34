-- person_runs: the rows of each run in which a person acts, but for those of others. A row that names nobody is the person's where
-- nobody else acts in the run, or in the row's trace.
-- Parameters: names (list, in lower case), run_ids (list). Columns: of_table, origin, entry, entry_row.
WITH taken AS (
    SELECT 'spans' AS of_table, origin, entry, entry_row, run_id, coalesce(trace_id, '') AS trace, actor, scope_name
    FROM spans WHERE list_contains($run_ids, run_id)
    UNION ALL
    SELECT 'events', origin, entry, entry_row, run_id, coalesce(trace_id, ''), actor, scope_name
    FROM events WHERE list_contains($run_ids, run_id)
    UNION ALL
    SELECT 'metrics', origin, entry, entry_row, run_id, '', actor, scope_name
    FROM metrics WHERE list_contains($run_ids, run_id)
), told AS (
    SELECT *, list_contains($names, lower(actor)) AS mine
    FROM taken WHERE NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
), weighed AS (
    SELECT
        *,
        coalesce(bool_or(NOT mine) OVER (PARTITION BY run_id), false) AS shared_run,
        coalesce(bool_or(NOT mine) OVER (PARTITION BY run_id, trace), false) AS shared_trace,
        coalesce(bool_or(mine) OVER (PARTITION BY run_id, trace), false) AS in_trace
    FROM told
)
SELECT of_table, origin, entry, entry_row
FROM weighed
WHERE mine OR (mine IS NULL AND (NOT shared_run OR (in_trace AND NOT shared_trace)))
