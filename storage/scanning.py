"""Looking through the files of the lake one by one: for what stands in them, whatever views make of it.

A file that cannot be read is left out, and remembered: whoever removes rows has to name it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from storage.catalog import Catalog
from storage.early import connected
from storage.errors import StorageError
from storage.layout import FileRecord, locate
from storage.rows import Rows

LIMITS: Final = {"memory_limit": "512MiB", "threads": 2, "temp_directory": ""}
"""Of who looks for what is to be removed: nothing of it is spilled to a disk, where a crash would leave it."""
_SEALED: Final = {"of_table": "VARCHAR", "of_origin": "VARCHAR", "of_entry": "BIGINT", "of_row": "BIGINT"}
Query = Callable[[pa.Schema], str]
"""SQL for a file with these columns, in which `{files}` stands for its rows."""


class Scanner:
    """One look through the lake; `unreadable` are the live paths of the files in which nobody could look."""

    def __init__(self, data: Path, catalog: Catalog) -> None:
        self.unreadable: set[str] = set()
        self._data = data
        self._catalog = catalog

    def rows(
        self, query: Query, params: Mapping[str, Any], *, table: str | None = None, files: Iterable[FileRecord] | None = None
    ) -> Iterator[tuple[FileRecord, pa.Table]]:
        """Yield each live file (of a table, or of `files`) that has rows in the answer to the query, with that answer.

        A parameter that the query does not name is ignored. Raises `StorageError` when memory runs out.
        """
        with connected(**LIMITS) as connection:
            for file in self._catalog.live_files(table) if files is None else files:
                path = locate(self._data, file.path)
                try:
                    sql = query(pq.read_schema(path))
                    used = {name: value for name, value in params.items() if f"${name}" in sql}
                    said = sql.replace("{files}", "read_parquet($path, hive_partitioning = false)")
                    rows: pa.Table = connection.sql(said, params={"path": str(path), **used}).to_arrow_table()
                except duckdb.OutOfMemoryException as error:
                    raise StorageError("look through the lake", file.path, hint="out of memory: stop other readers, try again") from error
                except (OSError, pa.ArrowException, duckdb.IOException, duckdb.SerializationException):
                    self.unreadable.add(file.path)
                    continue
                if rows.num_rows:
                    yield file, rows


def places(schema: pa.Schema) -> str:
    """Return the columns that `note_found` needs, as SQL selects them from a file with these columns."""
    sealed = (name if name in schema.names else f"NULL::{kind} AS {name}" for name, kind in _SEALED.items())
    return ", ".join(("origin", "entry", "entry_row", *sealed))


def note_found(found: Rows, file: FileRecord, rows: pa.Table) -> None:
    """Put rows of a file into a set; a derivation brings the row that it was made of."""
    found.note(file.table_name, rows)
    if file.table_name == "derivations":
        for row in rows.select(list(_SEALED)).to_pylist():
            found.add(row["of_table"], row["of_origin"], row["of_entry"], row["of_row"])


def add_derivations(scanner: Scanner, found: Rows) -> None:
    """Put the derivations of the rows of a set into it."""
    for file, rows in scanner.rows(lambda schema: f"SELECT {places(schema)} FROM {{files}}", {}, table="derivations"):  # noqa: S608  # nosec B608
        for row in rows.to_pylist():
            if found.has(row["of_table"], (row["of_origin"], row["of_entry"], row["of_row"])):
                found.add(file.table_name, row["origin"], row["entry"], row["entry_row"])
