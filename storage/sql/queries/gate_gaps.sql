-- gate_gaps: the runs in which an event lacks a field of the contract. Parameters: run_ids (list). Columns: run_id.
SELECT DISTINCT run_id FROM contract_gaps WHERE run_id IN (SELECT unnest($run_ids))
