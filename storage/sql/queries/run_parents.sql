-- run_parents: one row of internal.run_parents; none where no record of the run has a parent. Parameters: run_id.
SELECT orphans, early FROM internal.run_parents WHERE run_id = $run_id
