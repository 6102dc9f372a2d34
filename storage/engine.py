"""The DuckDB instance behind a `Lake`: bounded, sealed off from everything but the lake's files, with the views defined.

Views are defined once. What changes from query to query (the files, the time, the rows to look at) they take from variables of the
cursor that runs the query, which DuckDB folds into constants before it plans.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.catalog_rows import CatalogRows
from storage.schema import TABLES
from storage.views import CREATED, create_view

_INSERT: Final = {
    "trace_runs": "INSERT INTO internal.trace_runs SELECT * FROM incoming",
    "entries": "INSERT INTO internal.entries SELECT * FROM incoming",
}
_EMPTY: Final = {"trace_runs": "DELETE FROM internal.trace_runs", "entries": "DELETE FROM internal.entries"}
_SETTINGS: Final = (
    "TimeZone = 'UTC'",
    "parquet_metadata_cache = true",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one reader may use."""

    memory_mib: int
    threads: int


def connect(data: Path, folder: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """Return a connection whose views read the lake in `data`; `folder` takes its temporary files.

    It reaches no file but those below `data/data` and `folder`, loads no extension, and its configuration cannot be changed. It
    could still write there: SQL that was not checked by `storage.sandbox` must be ours.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_mib}MiB",
            "threads": limits.threads,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    allowed = ", ".join(_quoted(f"{path}/") for path in (data.absolute() / "data", folder))
    last = (f"allowed_directories = [{allowed}]", "enable_external_access = false", "lock_configuration = true")
    for setting in (*_SETTINGS, *last):
        connection.execute(f"SET {setting}")
    connection.execute("CREATE SCHEMA internal")
    connection.execute("CREATE TABLE internal.trace_runs (trace_id VARCHAR, run_id VARCHAR)")
    connection.execute(f"CREATE TABLE internal.entries ({CatalogRows.ENTRY_COLUMNS})")
    _define_views(connection, folder)
    return connection


def empty_file(folder: Path, table: str) -> Path:
    """The Parquet file without rows that stands first in every list of files: it gives the view its columns and types."""
    return folder / "empty" / table / "date=1970-01-01" / "empty.parquet"


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, *, empty_first: bool = False) -> None:
    """Add rows to a table of the schema `internal`, or replace all of its rows; queries that run keep what they saw."""
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN")
        if empty_first:
            cursor.execute(_EMPTY[table])
        if rows.num_rows:
            cursor.register("incoming", rows)
            cursor.execute(_INSERT[table])
            cursor.unregister("incoming")
        cursor.execute("COMMIT")
    finally:
        cursor.close()


def _define_views(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for table, schema in TABLES.items():
        path = empty_file(folder, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(schema.empty_table(), path)
        connection.execute(f"SET VARIABLE lake_{table} = $paths", {"paths": [str(path)]})
    for value in ("now = TIMESTAMP '2000-01-01'", "silence_seconds = 0.0", "by_name = false", "from_ns = 0::BIGINT", "to_ns = 0::BIGINT"):
        connection.execute(f"SET VARIABLE lake_{value}")
    for name in CREATED:
        connection.execute(create_view(name))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
