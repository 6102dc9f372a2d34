-- run_rows: rows of the view runs. Parameters: run_ids (list).
SELECT * FROM runs WHERE list_contains($run_ids, run_id)
