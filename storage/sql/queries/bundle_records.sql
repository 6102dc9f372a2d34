-- bundle_records: where the records of a run are stored, each once. Read in an excerpt.
-- Parameters: run_id. Columns: of_table, origin, entry, entry_row.
SELECT 'spans' AS of_table, origin, entry, entry_row FROM spans WHERE run_id = $run_id
UNION ALL
SELECT 'events', origin, entry, entry_row FROM events WHERE run_id = $run_id
