-- internal.span_rows: the rows of the live span files, as stored, but for salts: each row has its own.
-- Parameters, all in the variable `lake`: spans, a list of Parquet files whose first is an empty one with today's schema: it gives the
-- columns and types, also to a lake without spans; by_name, true when a file is older than a column of that schema, which is
-- NULL there (finding out opens every file, so only then); from_ns and to_ns, beginnings of the rows to read: open ends,
-- unless the reader knows where its rows are.
SELECT
    * REPLACE (  -- a seed would tell the salts of other rows: docs/ledger.md, "Salts"
        CASE octet_length(salt)
            WHEN 16 THEN salt
            WHEN 32 THEN unhex(left(sha256('\x02'::BLOB || salt || encode(entry_row::VARCHAR)), 32))
        END AS salt
    ),
    'sealed' AS derived_from
FROM read_parquet(
    getvariable('lake').spans, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
WHERE start_ns >= getvariable('lake').from_ns AND start_ns <= getvariable('lake').to_ns
