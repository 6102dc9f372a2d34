"""DuckDB takes 30 to 50 ms to start for the first time in a process: who is going to read begins with it, and imports the rest then."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import duckdb

_NOTHING_LOADED: Final = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
TRACE_RUNS: Final = (
    "trace_id VARCHAR, run_id VARCHAR, from_ns BIGINT DEFAULT -9223372036854775807, to_ns BIGINT DEFAULT 9223372036854775807"
)
"""The columns of the map from traces to runs; the times tell apart whose records have no trace: see `storage.engine`."""
RECORDINGS: Final = "time TIMESTAMP, name VARCHAR, rule_group VARCHAR, labels VARCHAR, value DOUBLE"
"""The columns of what recording rules recorded a moment ago; the labels are a JSON object."""
_PREPARED: Final = f"""
    SET TimeZone = 'UTC';
    SET parquet_metadata_cache = true;
    CREATE SCHEMA internal;
    CREATE TABLE internal.trace_runs ({TRACE_RUNS});
    CREATE TABLE internal.recordings ({RECORDINGS})
"""
_begun: list[Future[duckdb.DuckDBPyConnection]] = []


def connected(**config: Any) -> duckdb.DuckDBPyConnection:
    """Return an instance in memory of this configuration. It loads no extension, and draws no bar of progress.

    DuckDB draws one on standard output, into what a command prints there, once a query takes two seconds.
    """
    connection = duckdb.connect(":memory:", config=_NOTHING_LOADED | config)
    connection.execute("SET enable_progress_bar = false")
    return connection


def begin() -> None:
    """Start an instance in a thread of its own; the next `instance` is that one."""
    beside = ThreadPoolExecutor(max_workers=1)
    _begun.append(beside.submit(_started))
    beside.shutdown(wait=False)


def instance() -> duckdb.DuckDBPyConnection:
    """Return an instance in memory that nobody has used yet, with the tables of the schema `internal` that do not depend on a lake."""
    try:
        return _begun.pop().result()
    except IndexError:
        return _started()


def _started() -> duckdb.DuckDBPyConnection:
    connection = connected(preserve_insertion_order=False, python_enable_replacements=False)
    connection.execute(_PREPARED)
    return connection
