-- run_traces: the traces in which a run has records that name it; NULL when it has log records that belong to no trace.
-- Parameters: run_ids (list: the run, and the traces that joined it). Columns: trace_id.
SELECT trace_id FROM internal.span_rows WHERE run_id IN $run_ids AND trace_id IS NOT NULL
UNION
SELECT trace_id FROM internal.event_rows WHERE run_id IN $run_ids
