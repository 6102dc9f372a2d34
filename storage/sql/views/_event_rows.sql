-- internal.event_rows: the rows of the live files of OpenTelemetry log records, as stored.
-- Parameters: events, by_name, from_ns and to_ns of the variable `lake` (see _span_rows.sql).
SELECT *, 'sealed' AS derived_from
FROM read_parquet(
    getvariable('lake').events, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
WHERE time_ns >= getvariable('lake').from_ns AND time_ns <= getvariable('lake').to_ns
