-- spans: one row a span: evidence, canonical and ledger columns as stored, plus record_id.
-- run_id is final: the trace → run map of the catalog has the last word over the run id in the row, which stays readable as
-- sent_run_id.
SELECT
    s.origin || '/' || s.entry || '/' || s.entry_row AS record_id,
    s.* REPLACE (coalesce(m.run_id, s.run_id) AS run_id),
    s.run_id AS sent_run_id
FROM internal.span_rows AS s
LEFT JOIN internal.trace_runs AS m ON m.trace_id = s.trace_id
