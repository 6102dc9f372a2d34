"""What readers need of the catalog in bulk: what is new in it since they looked last, and run ids by prefix."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from storage.errors import StorageError

_NAMES: Final = (
    "origin", "entry", "sealed_ns", "first_received_ns", "last_received_ns", "received", "stored", "rejected", "deduplicated",
    "quarantined", "withheld", "own", "bytes", "policy_hash", "resent",
)  # fmt: skip
_SOURCES: Final = ", ".join("json_extract(descriptor, '$.counters.resent')" if name == "resent" else name for name in _NAMES)
_TEXT: Final = frozenset({"origin", "policy_hash"})


def _texts(values: Sequence[str | None]) -> pa.Array:
    """As `pa.array`, whose first use imports pandas, which takes several times as long as reading a run."""
    builder = pa.lib.StringBuilder()
    builder.append_values(values)
    return builder.finish()


class CatalogRows:
    """A read-only connection to a catalog of its own; belongs to one thread at a time."""

    ENTRY_COLUMNS: Final = ", ".join(f"{name} {'VARCHAR' if name in _TEXT else 'BIGINT'}" for name in _NAMES)
    """Names and DuckDB types of what `new_entries` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0  # row of the newest entry that was returned
        self._changed = -1  # version of the newest change to traces that was returned
        self._connection: sqlite3.Connection | None = None

    def new_entries(self) -> pa.Table:
        """Return the entries that were committed since the last call; none ever changes. Raises `StorageError`."""
        query = f"SELECT rowid, {_SOURCES} FROM entries WHERE rowid > ? ORDER BY rowid"  # noqa: S608  # nosec B608
        rows = self._all(query, (self._seen,))
        if rows:
            self._seen = rows[-1][0]
        columns = list(zip(*rows, strict=True))[1:] if rows else [()] * len(_NAMES)
        types = [pa.string() if name in _TEXT else pa.int64() for name in _NAMES]
        return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names=list(_NAMES))

    def new_trace_runs(self) -> pa.Table:
        """Return `trace_id` and `run_id` of the traces whose run changed since the last call, NULL for none. Raises `StorageError`."""
        rows = self._all("SELECT changed, trace_id, run_id FROM trace_runs WHERE changed > ? ORDER BY changed", (self._changed,))
        names = ("trace_id", "run_id")
        if rows:
            self._changed = rows[-1][0]
        return pa.table([_texts([row[place] for row in rows]) for place in (1, 2)], names=list(names))

    def has_derivations(self) -> bool:
        """Return whether rows of the lake were read again. Raises `StorageError`."""
        query = "SELECT 1 FROM files WHERE table_name = 'derivations' AND retired_ns IS NULL AND damaged IS NULL LIMIT 1"
        return bool(self._all(query, ()))

    def run_ids(self, prefix: str, limit: int) -> list[str]:
        """Return at most `limit` names of runs that begin with `prefix`, as rows carry them. Raises `StorageError`."""
        query = "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT ?"
        return [row[0] for row in self._all(query, (prefix, prefix + chr(0x10FFFF), limit))]

    def _all(self, query: str, values: tuple[str | int, ...]) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                location = f"file:{quote(str(self._path.absolute()))}?mode=ro"
                self._connection = sqlite3.connect(location, uri=True, timeout=30, check_same_thread=False)
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageError("read the catalog", self._path, hint=str(error)) from error

    def close(self) -> None:
        """Close the connection; the next call starts where this one stopped."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
