-- internal.event_rows: the rows of the live files of OpenTelemetry log records, as stored.
-- Parameters: the variables lake_events, lake_by_name, lake_from_ns and lake_to_ns (see _span_rows.sql).
SELECT *
FROM read_parquet(
    getvariable('lake_events'), union_by_name = getvariable('lake_by_name'), hive_partitioning = true, hive_types = {'date': DATE}
)
WHERE time_ns >= getvariable('lake_from_ns') AND time_ns <= getvariable('lake_to_ns')
