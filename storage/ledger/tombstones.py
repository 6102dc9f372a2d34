"""What stays of rows that were removed: their place and their leaf hash, so that everything else of their entry still verifies.

    <data>/ledger/<origin>/tombstones/<order>.jsonl    one line a row: {"entry": …, "leaf": hex, "row": …, "table": …}

The log entry of the order names the file by its SHA-256. A leaf hash says nothing about the row: the salt that it was made with went with
the row. An expiry names entries of which nothing is left by their numbers alone, and has tombstones only for the others.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from storage.durable import DISK, FileSystem, hint_for, make_directory, publish, write_all
from storage.layout import LogRecord
from storage.ledger.entries import encode
from storage.ledger.errors import LedgerError

FOLDER: Final = "tombstones"
_BUFFER_BYTES: Final = 1 << 20
_RANGES: Final = 1000  # of entries that one log entry of an expiry names: two numbers of at most 20 digits each
Ranges = Mapping[str, Sequence[tuple[int, int]]]
"""By table, first and last entry of which no row of the table is left."""


class Tombstone(NamedTuple):
    """One removed row; `leaf` is None for one that was never committed to."""

    table: str
    entry: int
    row: int
    leaf: bytes | None


class TombstoneFile(NamedTuple):
    """A file as a log entry names it: its path in the log's folder, and its SHA-256 in hex; "" where nobody asks for that."""

    path: str
    sha256: str


def tombstones_path(order: str) -> str:
    """Return where the tombstones of an order are in the folder of a log."""
    return f"{FOLDER}/{order}.jsonl"


class TombstoneWriter:
    """Writes the tombstones of one order in one origin; memory holds a buffer. Raises OSError from the disk."""

    def __init__(self, log_folder: Path, order: str, fs: FileSystem = DISK) -> None:
        self.path = tombstones_path(order)
        self.rows = 0
        self._target = log_folder / self.path
        self._temporary = self._target.with_suffix(".tmp")
        self._fs = fs
        self._digest = hashlib.sha256()
        self._lines: list[bytes] = []
        self._size = 0
        make_directory(self._target.parent, fs)
        self._descriptor = fs.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def add(self, rows: Iterable[Tombstone]) -> None:
        """Append rows."""
        for table, entry, row, leaf in rows:
            fields = {"entry": entry, "leaf": None if leaf is None else leaf.hex(), "row": row, "table": table}
            self._lines.append(orjson.dumps(fields) + b"\n")
            self._size += len(self._lines[-1])
            self.rows += 1
            if self._size >= _BUFFER_BYTES:
                self._flush()

    def finish(self) -> TombstoneFile:
        """Make the file durable under its name."""
        self._flush()
        self._fs.sync(self._descriptor)
        self.abandon()
        publish(self._temporary, self._target, self._fs)
        return TombstoneFile(self.path, self._digest.hexdigest())

    def abandon(self) -> None:
        """Give the file up; what is written stays under a name that nobody reads."""
        if self._descriptor >= 0:
            self._fs.close(self._descriptor)
            self._descriptor = -1

    def _flush(self) -> None:
        content = b"".join(self._lines)
        write_all(self._fs, self._descriptor, content)
        self._digest.update(content)
        self._lines, self._size = [], 0


def read(log_folder: Path, file: TombstoneFile) -> Iterator[Tombstone]:
    """Yield the tombstones of a file. Raises `LedgerError` when it is not what the log entry names, behind the last row at the latest."""
    path, digest = log_folder / file.path, hashlib.sha256()
    remedy = "it is not what the log says of it: restore it from a backup"
    try:
        with path.open("rb") as lines:
            for line in lines:
                digest.update(line)
                fields = orjson.loads(line)
                leaf = fields["leaf"]
                yield Tombstone(fields["table"], fields["entry"], fields["row"], None if leaf is None else bytes.fromhex(leaf))
    except OSError as error:
        raise LedgerError("read tombstones", path, hint=hint_for(error)) from error
    except (ValueError, KeyError, TypeError):
        raise LedgerError("read tombstones", path, hint=remedy) from None
    if file.sha256 and digest.hexdigest() != file.sha256:
        raise LedgerError("read tombstones", path, hint=remedy)


def file_of(entry: Mapping[str, Any]) -> TombstoneFile | None:
    """Return the file that a log entry names; None when it names none."""
    named = entry.get("tombstones")
    return None if named is None else TombstoneFile(named["path"], named["sha256"])


def erasure(origin: str, order: str, *, at_ns: int, reason: str, by: str, rows: int, tombstones: TombstoneFile) -> LogRecord:
    """Return what the log says of rows that an order erased."""
    content = {"at_ns": at_ns, "order": order, "reason": reason, "by": by, "rows": rows, "tombstones": tombstones._asdict()}
    return encode(origin, "erasure", content)


def expiry(
    origin: str, order: str, *, at_ns: int, rules: Sequence[str], rows: int, entries: Ranges, tombstones: TombstoneFile | None
) -> list[LogRecord]:
    """Return what the log says of rows that expired: several entries when there are many ranges, the first with rows and tombstones."""
    said = {"at_ns": at_ns, "order": order, "rules": list(rules)}
    first: dict[str, Any] = {"rows": rows} | ({} if tombstones is None else {"tombstones": tombstones._asdict()})
    records: list[LogRecord] = []
    for part in _parts(entries):
        records.append(encode(origin, "expiry", {**said, **first, "entries": part}))
        first = {"rows": 0}
    return records


def _parts(entries: Ranges) -> Iterator[dict[str, list[tuple[int, int]]]]:
    """The ranges in parts that a log entry holds; at least one."""
    ordered = [(table, pair) for table, pairs in sorted(entries.items()) for pair in pairs]
    for start in range(0, max(1, len(ordered)), _RANGES):
        part: dict[str, list[tuple[int, int]]] = {}
        for table, pair in ordered[start : start + _RANGES]:
            part.setdefault(table, []).append(pair)
        yield part
