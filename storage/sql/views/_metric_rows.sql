-- internal.metric_rows: the rows of the live metric files, as stored, but for salts: each row has its own.
-- Parameters: metrics and by_name of the variable `lake` (see _span_rows.sql).
SELECT
    * REPLACE (  -- a seed would tell the salts of other rows: docs/ledger.md, "Salts"
        CASE octet_length(salt)
            WHEN 16 THEN salt
            WHEN 32 THEN unhex(left(sha256('\x02'::BLOB || salt || encode(entry_row::VARCHAR)), 32))
        END AS salt
    ),
    'sealed' AS derived_from
FROM read_parquet(
    getvariable('lake').metrics, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
