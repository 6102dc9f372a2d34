-- internal.event_rows: the rows of the live files of OpenTelemetry log records, as stored.
-- Parameters: the variables lake_events and lake_by_name (see _span_rows.sql).
SELECT *
FROM read_parquet(
    getvariable('lake_events'), union_by_name = getvariable('lake_by_name'), hive_partitioning = true, hive_types = {'date': DATE}
)
