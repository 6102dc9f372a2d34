-- run_row: one row of the view runs. Parameters: run_id.
SELECT * FROM runs WHERE run_id = $run_id
