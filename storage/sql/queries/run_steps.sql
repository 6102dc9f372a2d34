-- run_steps: every step of a run, with what it says, in the order in which they began, whatever order they came in; attributes is JSON,
-- repeated is true where another step tells the same. Parameters: run_id.
SELECT
    * EXCLUDE (salt, sent_run_id, record_key) REPLACE (to_json(attributes)::VARCHAR AS attributes),
    record_key IS NOT NULL AS repeated
FROM internal.counted_steps AS s
LEFT JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
WHERE run_id = $run_id
ORDER BY start_ns, sequence, source DESC, span_id, end_ns DESC, event_name, body, record_id
