-- internal.metric_rows: the rows of the live metric files, as stored.
-- Parameters: the variables lake_metrics and lake_by_name (see _span_rows.sql).
SELECT *
FROM read_parquet(
    getvariable('lake_metrics'), union_by_name = getvariable('lake_by_name'), hive_partitioning = true, hive_types = {'date': DATE}
)
