"""The lake: WAL, Parquet files, catalog, reading. One of two libraries; it imports nothing else of ours."""
