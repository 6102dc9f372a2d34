-- internal.span_rows: the rows of the live span files, as stored.
-- Parameters, all variables: lake_spans, a list of Parquet files whose first is an empty one with today's schema: it gives the
-- columns and types, also to a lake without spans; lake_by_name, true when a file is older than a column of that schema, which is
-- NULL there (finding out opens every file, so only then); lake_from_ns and lake_to_ns, beginnings of the rows to read: open ends,
-- unless the reader knows where its rows are.
SELECT *
FROM read_parquet(
    getvariable('lake_spans'), union_by_name = getvariable('lake_by_name'), hive_partitioning = true, hive_types = {'date': DATE}
)
WHERE start_ns >= getvariable('lake_from_ns') AND start_ns <= getvariable('lake_to_ns')
