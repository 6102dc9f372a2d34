-- events: one row an OpenTelemetry log record: evidence, canonical and ledger columns as stored, plus record_id.
-- run_id is final (see spans.sql); NULL where the record belongs to no run. A record without a trace has its run in the trace's
-- place; where several runs share that name, it is of the one that had begun last.
SELECT
    e.origin || '/' || e.entry || '/' || e.entry_row AS record_id,
    e.* REPLACE (nullif(coalesce(m.run_id, e.run_id), '') AS run_id),
    e.run_id AS sent_run_id
FROM internal.event_rows AS e
LEFT JOIN internal.trace_runs AS m ON m.trace_id = coalesce(e.trace_id, e.run_id) AND e.time_ns BETWEEN m.from_ns AND m.to_ns
