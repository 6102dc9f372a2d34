-- What the steps of one run say: the columns beside those of its reconstruction.
-- Parameters: run_id.
SELECT record_id, source, counted, attributes, events, links, body, redactions, status_message, resource_attributes, scope_name, scope_version, sequence,
    price_version, cost_source, origin, entry, entry_row, policy_hash
FROM steps
WHERE run_id = $run_id
