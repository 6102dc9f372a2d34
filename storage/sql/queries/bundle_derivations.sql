-- bundle_derivations: where the derivations that count are stored of rows of some entries.
-- Parameters: origins, entries (lists). Columns: origin, entry, entry_row, of_origin, of_entry, of_row.
SELECT origin, entry, entry_row, of_origin, of_entry, of_row
FROM internal.derivation_rows
WHERE of_origin IN $origins AND of_entry IN $entries
