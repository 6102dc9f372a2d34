"""The catalog's entries for the view `ingest_log`, read as they are added: there are tens of thousands a day, and none changes."""

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa

from storage.errors import StorageError

_NAMES: Final = (
    "origin", "entry", "sealed_ns", "first_received_ns", "last_received_ns", "received", "stored", "rejected", "deduplicated",
    "quarantined", "withheld", "own", "bytes", "policy_hash",
)  # fmt: skip
_TEXT: Final = frozenset({"origin", "policy_hash"})


class EntryRows:
    """Reads the table `entries` of a catalog from where it stopped the last time."""

    COLUMNS: Final = ", ".join(f"{name} {'VARCHAR' if name in _TEXT else 'BIGINT'}" for name in _NAMES)
    """Names and DuckDB types of what `new_rows` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        self._connection: sqlite3.Connection | None = None

    def new_rows(self) -> pa.Table:
        """Return the entries that were committed since the last call. Raises `StorageError`."""
        try:
            if self._connection is None:
                location = f"file:{quote(str(self._path.absolute()))}?mode=ro"
                self._connection = sqlite3.connect(location, uri=True, timeout=30, check_same_thread=False)
            query = f"SELECT rowid, {', '.join(_NAMES)} FROM entries WHERE rowid > ? ORDER BY rowid"  # noqa: S608
            rows = self._connection.execute(query, (self._seen,)).fetchall()
        except sqlite3.Error as error:
            raise StorageError("read the entries", self._path, hint=str(error)) from error
        if rows:
            self._seen = rows[-1][0]
        columns = list(zip(*rows, strict=True))[1:] if rows else [()] * len(_NAMES)
        types = [pa.string() if name in _TEXT else pa.int64() for name in _NAMES]
        return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names=list(_NAMES))

    def close(self) -> None:
        """Close the connection; the next call starts where this one stopped."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
