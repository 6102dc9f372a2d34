"""Of which runs and traces nothing is left once rows are gone: what the catalog knows of them has to go as well."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.catalog import Catalog
from storage.early import connected
from storage.layout import FileRecord, staged
from storage.removal import Taken
from storage.scanning import LIMITS

Names = tuple[list[str], list[str]]
"""Traces, runs."""


def vanished(data: Path, catalog: Catalog, taken: Sequence[Taken], outputs: Sequence[FileRecord]) -> Names:
    """Return the traces and the runs, by every name that they have, of which no row stays, as far as files can be read. Raises OSError."""
    traces, runs = named(data, taken)
    names = sorted({*traces, *runs})
    final = catalog.run_of_traces(names)
    replaced = {each.file.path for each in taken}
    paths = [data / file.path for file in catalog.live_files() if file.path not in replaced]
    paths += [staged(data, file.path, merged=True) for file in outputs]
    left = _left(paths, names)
    gone = [name for name in names if name not in left]
    living = {final.get(name) for name in left}
    finals = sorted({run for name in gone if (run := final.get(name)) and run not in left and run not in living})
    others = [run for run in finals if set(catalog.traces_of_run(run)) <= {*gone, *finals}]
    return gone, sorted({*gone, *others})


def named(data: Path, taken: Sequence[Taken]) -> tuple[set[str], set[str]]:
    """Return the traces and the runs that rows which go state. Raises OSError."""
    found: dict[str, set[str]] = {"trace_id": set(), "run_id": set()}
    for each in taken:
        with pq.ParquetFile(data / each.file.path) as parquet:
            columns = [name for name in found if name in parquet.schema_arrow.names]
            at = 0
            for batch in parquet.iter_batches(columns=columns, use_threads=False):
                marks = each.marks[at : at + batch.num_rows]
                at += batch.num_rows
                for name in columns:
                    values = batch.column(name).to_pylist()
                    found[name].update(value for value, goes in zip(values, marks, strict=True) if goes and value)
    return found["trace_id"], found["run_id"]


def _left(paths: Sequence[Path], names: Sequence[str]) -> set[str]:
    """The names that rows of these files state."""
    found: set[str] = set()
    with connected(**LIMITS) as connection:
        connection.register("names", pa.table({"name": pa.array(names, pa.large_string())}))
        for path in paths:
            with suppress(OSError, pa.ArrowException, duckdb.IOException, duckdb.SerializationException):  # damaged: named elsewhere
                for column in ("trace_id", "run_id"):
                    if column in pq.read_schema(path).names:
                        found |= _stated(connection, path, column)
    return found


def _stated(connection: duckdb.DuckDBPyConnection, path: Path, column: str) -> set[str]:
    sql = f"SELECT DISTINCT {column} FROM read_parquet($path, hive_partitioning = false) WHERE {column} IN (SELECT name FROM names)"  # noqa: S608  # nosec B608
    return {name for (name,) in connection.sql(sql, params={"path": str(path)}).fetchall()}
