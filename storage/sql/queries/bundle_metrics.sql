-- bundle_metrics: where the data points that name a run are stored. Parameters: run_id. Columns: origin, entry, entry_row.
SELECT origin, entry, entry_row FROM metrics WHERE run_id = $run_id
