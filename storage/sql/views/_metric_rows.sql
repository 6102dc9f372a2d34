-- internal.metric_rows: the rows of the live metric files, as stored.
-- Parameters: metrics and by_name of the variable `lake` (see _span_rows.sql).
SELECT *, 'sealed' AS derived_from
FROM read_parquet(
    getvariable('lake').metrics, union_by_name = getvariable('lake').by_name, hive_partitioning = true, hive_types = {'date': DATE}
)
