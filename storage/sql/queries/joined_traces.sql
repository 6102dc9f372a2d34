-- joined_traces: the traces that the catalog's map gives to a run. Parameters: run_id. Columns: trace_id.
SELECT trace_id FROM internal.trace_runs WHERE run_id = $run_id ORDER BY trace_id
