-- metrics: one row a data point: evidence, canonical and ledger columns as stored, plus record_id.
SELECT
    origin || '/' || entry || '/' || entry_row AS record_id,
    *
FROM internal.metric_rows
