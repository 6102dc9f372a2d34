-- internal.derivation_rows: what was made of sealed rows when they were read again, the newest of each row.
-- Parameters: derivations and by_name of the variable `lake` (see _span_rows.sql).
SELECT *
FROM read_parquet(
    getvariable('lake').derivations, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
QUALIFY row_number() OVER (PARTITION BY of_origin, of_entry, of_row ORDER BY derived_ns DESC, entry DESC) = 1
