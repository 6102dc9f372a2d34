-- run_steps: every step of a run, with what it says, in the order in which they began, whatever order they came in. Parameters: run_id.
SELECT * EXCLUDE (salt, sent_run_id)
FROM internal.counted_steps
WHERE run_id = $run_id
ORDER BY start_ns, sequence, source DESC, span_id, end_ns DESC, event_name, body, record_id
