-- internal.event_rows: the rows of the live files of OpenTelemetry log records, as stored, but for salts: each row has its own.
-- Parameters: events, by_name, from_ns and to_ns of the variable `lake` (see _span_rows.sql).
SELECT
    * REPLACE (  -- a seed would tell the salts of other rows: docs/ledger.md, "Salts"
        CASE octet_length(salt)
            WHEN 16 THEN salt
            WHEN 32 THEN unhex(left(sha256('\x02'::BLOB || salt || encode(entry_row::VARCHAR)), 32))
        END AS salt
    ),
    'sealed' AS derived_from
FROM read_parquet(
    getvariable('lake').events, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
WHERE time_ns >= getvariable('lake').from_ns AND time_ns <= getvariable('lake').to_ns
