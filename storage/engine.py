"""The DuckDB instances behind a `Lake`: bounded, sealed off from everything but the lake's files.

What changes from query to query (the files, the time, the rows to look at) views take from a variable of the cursor that runs the
query, which DuckDB folds into constants before it plans. Views are defined when a query first names them, and bound when it reads them;
who reads one run needs none (`storage.composition`).
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage import early
from storage.catalog_rows import CatalogRows
from storage.damage import can_mean_damage
from storage.errors import StorageError
from storage.layout import TURN_MARK
from storage.schema import TABLES
from storage.views import created

_FILL: Final = {
    "trace_runs": (
        "DELETE FROM internal.trace_runs WHERE trace_id IN (SELECT trace_id FROM incoming)",
        "INSERT INTO internal.trace_runs (trace_id, run_id) SELECT trace_id, run_id FROM incoming WHERE run_id IS NOT NULL",
    ),
    "entries": ("INSERT INTO internal.entries SELECT * FROM incoming",),
    "recordings": ("INSERT INTO internal.recordings SELECT * FROM incoming",),
}
_TURNS: Final = """
    CREATE OR REPLACE TEMP TABLE turn AS
    SELECT trace_id[:-22] AS holder, run_id, trace_id[-20:]::BIGINT AS begun
    FROM internal.trace_runs
    WHERE trace_id[-21] = chr(10) AND trace_id[:-22] IN (SELECT trace_id[:-22] FROM incoming WHERE trace_id[-21] = chr(10));
    DELETE FROM internal.trace_runs WHERE trace_id IN (SELECT holder FROM turn);
    INSERT INTO internal.trace_runs
    SELECT
        holder, run_id, CASE WHEN lag(begun) OVER turns IS NULL THEN -9223372036854775807 ELSE begun END,
        coalesce(lead(begun) OVER turns - 1, 9223372036854775807)
    FROM turn
    WINDOW turns AS (PARTITION BY holder ORDER BY begun);
    DROP TABLE turn
"""
"""Puts the rows of names whose records are of several runs (`storage.layout.turn_name`) in the place of the one that knows no better."""
TIMED: Final = ("spans", "events")
"""The tables whose views read rows by their time, so that a row without one is never read."""
_PLANNED_ROWS: Final = 1_000
"""DuckDB plans joins as if every file had as many rows as the first of the list, which is ours: rows of nothing but NULL."""
_LITERAL: Final = re.compile(r"'[^']*(?:'|$)")
_ABOUT_VALUES: Final = (duckdb.DataError, duckdb.InvalidInputException, duckdb.NotSupportedError)
"""Errors that tell a value of the row at which they arose, quoted or not; the others tell names."""
_BEFORE_VALUE: Final = re.compile(r"[^:]*: [^:'\"]*")
_BEHIND_VALUE: Final = re.compile(r"(?: to [A-Z]\w*(?:\([\d, ]*\))?)?(?: when casting from source column \w+)?$")


warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one reader may use."""

    memory_mib: int
    threads: int


def connect(data: Path, folder: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """Return a connection that can read the lake in `data`, as yet without views and functions; `folder` takes its temporary files.

    It reaches no file but those below `data/data` and `folder`, loads no extension, and its configuration cannot be changed. It
    could still write there: SQL that was not checked by `storage.sandbox` must be ours.
    """
    connection = early.instance()
    allowed = ", ".join(_quoted(f"{path}/") for path in (data.absolute() / "data", folder))
    connection.execute(f"""
        SET memory_limit = '{limits.memory_mib}MiB';
        SET threads = {limits.threads};
        SET temp_directory = {_quoted(str(folder / "spill"))};
        CREATE TABLE internal.entries ({CatalogRows.ENTRY_COLUMNS});
        SET allowed_directories = [{allowed}];
        SET enable_external_access = false;
        SET lock_configuration = true
    """)
    return connection


def define(connection: duckdb.DuckDBPyConnection, names: Iterable[str], *, derived: bool = False) -> None:
    """Define functions and views of `storage.views.needed`; what they read is defined already, or among them.

    `derived`: rows of the lake were read again, so that views of rows have to look for that.
    """
    with closing(connection.cursor()) as cursor:
        for name in ["_derivation_rows", *names] if derived else names:
            cursor.execute(created(name, derived=derived))


def table_of(cursor: duckdb.DuckDBPyConnection, text: str, params: Mapping[str, Any]) -> pa.Table:
    """Run a query and return all of its rows. A relation would read them into memory once only, and bind every view twice."""
    return cursor.execute(text, params or None).to_arrow_table()


def provide(folder: Path, table: str) -> str:
    """Return the Parquet file, without a row that is ever read, that stands first in every list; written where it is not there yet.

    It gives a view its columns and types.
    """
    path = folder / "empty" / table / "date=1970-01-01" / "empty.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_rows_of_nothing(table))
    return str(path)


@lru_cache(maxsize=256)
def is_current(path: str, table: str) -> bool:
    """Whether a file has every column that the schema of its table has now; false where that cannot be read."""
    try:
        return set(pq.read_schema(path).names).issuperset(TABLES[table].names)
    except (OSError, pa.ArrowException):
        return False


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Add rows to a table of the schema `internal` in one transaction; queries that run keep what they saw.

    A trace of `trace_runs` has its newest run only, and none where that is NULL.
    """
    if not rows.num_rows:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN")
        insert(cursor, table, rows)
        cursor.execute("COMMIT")
    finally:
        cursor.close()


def insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """The same within the cursor's transaction."""
    cursor.register("incoming", rows)
    for statement in _FILL[table]:
        cursor.execute(statement)
    if table == "trace_runs" and any(TURN_MARK in name for name in rows["trace_id"].to_pylist()):
        cursor.execute(_TURNS)
    cursor.unregister("incoming")


def message_of(error: Exception | None, sql: str = "") -> str:
    """Return DuckDB's message in one line, without the texts that stand in the SQL as literals or in the rows that were read."""
    line = str(error).split("\n\n", maxsplit=1)[0].replace("\n", " ")
    if isinstance(error, _ABOUT_VALUES) and (told := _BEFORE_VALUE.match(line)):
        behind = _BEHIND_VALUE.search(line, told.end())
        line = told[0] + ("'…'" + (behind[0] if behind else "") if told.end() < len(line) else "")
    line = _LITERAL.sub("'…'", line)
    for literal in sorted({each[1:-1] for each in _LITERAL.findall(sql)}, key=len, reverse=True):
        line = line.replace(literal, "…") if len(literal) > 2 else line
    return line


def explained(error: duckdb.Error | None, data: Path) -> StorageError:
    """Return what a query's failure means to whoever asked."""
    message = message_of(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return StorageError("read the lake", data, hint="out of memory: ask for a shorter time range")
    if can_mean_damage(error):
        return StorageError("read the lake", data, hint=f"{message}; `auditlake doctor` names damaged files")
    return StorageError("read the lake", data, hint=message)


@cache
def _rows_of_nothing(table: str) -> bytes:
    schema, sink = TABLES[table], pa.BufferOutputStream()
    unknown = [pa.nulls(_PLANNED_ROWS if table in TIMED else 0, field.type) for field in schema]
    pq.write_table(pa.Table.from_arrays(unknown, schema=schema), sink, compression="none", use_dictionary=False)
    return bytes(sink.getvalue().to_pybytes())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
