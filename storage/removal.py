"""Removing rows from the lake: the files that hold them are written anew without them, or go altogether.

The flow, and what a crash leaves at each step:
(a) who asks says of each row whether it goes (`survey`); nothing is changed;
(b) files without those rows and the tombstones are written and synced beside the lake; a crash leaves files that the next run deletes;
(c) one catalog transaction retires the old files, makes the new ones live, and puts what happened into the logs: now the rows are gone;
(d) the new files move into the lake, the old ones and all retired copies of their rows are deleted (`clear`), at once and not after a
    grace period; after a crash the next run does the rest.
Memory holds one row group, and a byte for each row of the files that are written anew.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from storage.catalog import Catalog
from storage.catalog_removals import Removal
from storage.compactor import finish as finish_moves
from storage.durable import DISK, FileLock, FileSystem
from storage.errors import LakeLocked
from storage.layout import FileRecord, retired
from storage.merge import check_file
from storage.rewriting import rewrite

REMOVAL_LOCK: Final = "removal.lock"
_LOCKS: Final = (REMOVAL_LOCK, "rederive.lock", "compactor.lock")
_WAIT_SECONDS: Final = 120.0
_BATCH_ROWS: Final = 65_536
Table = tuple[str, str]
"""Name and origin."""


class Rule(Protocol):
    """Who says which rows go."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What it looks at beside origin, entry and entry_row, where a file has it."""

    def mask(self, file: FileRecord, rows: pa.RecordBatch) -> Sequence[bool]:
        """Return of each row whether it goes."""


@dataclass(slots=True)
class Taken:
    """What is taken out of one file."""

    file: FileRecord
    marks: bytearray = field(default_factory=bytearray)  # a byte a row, in the file's order: 1 goes
    gone: Counter[int] = field(default_factory=Counter)  # rows by entry
    kept: set[int] = field(default_factory=set)  # entries

    @property
    def rows(self) -> int:
        """How many rows go."""
        return sum(self.gone.values())

    @property
    def whole(self) -> bool:
        """Whether all of them do."""
        return self.rows == self.file.rows


@contextmanager
def locked(data: Path, attempted: str) -> Iterator[None]:
    """Keep everyone away who moves files, reads rows again or enters a hold. Raises `LakeLocked` when that takes too long."""
    with ExitStack() as stack:
        for name in _LOCKS:
            stack.enter_context(waiting_for(data / name, attempted))
        yield


def waiting_for(path: Path, attempted: str) -> FileLock:
    """Take a lock, waiting for whoever has it. Raises `LakeLocked` when that takes too long."""
    attempts = Retrying(retry=retry_if_exception_type(LakeLocked), wait=wait_fixed(0.1), stop=stop_after_delay(_WAIT_SECONDS), reraise=True)
    return attempts(FileLock, path, attempted)


def survey(data: Path, files: Sequence[FileRecord], rule: Rule) -> list[Taken]:
    """Return what goes of each file of which something does. The files are checked first: raises `DamagedFile`, OSError."""
    found = []
    for file in files:
        check_file(data / file.path, file)
        taken = _survey(data / file.path, file, rule)
        if taken.gone:
            found.append(taken)
    return found


def _survey(path: Path, file: FileRecord, rule: Rule) -> Taken:
    taken = Taken(file)
    with pq.ParquetFile(path) as parquet:
        columns = [name for name in ("origin", "entry", "entry_row", *rule.columns) if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False):
            marks = bytearray(rule.mask(file, batch))
            taken.marks += marks
            for entry, goes in zip(batch.column("entry").to_pylist(), marks, strict=True):
                if goes:
                    taken.gone[entry] += 1
                else:
                    taken.kept.add(entry)
    return taken


def write_anew(data: Path, taken: Sequence[Taken], order: str, fs: FileSystem = DISK) -> list[FileRecord]:
    """Write the files without the rows that go beside the lake, durably (b), and return what they will be. Raises OSError."""
    return [rewrite(data, each.file, each.marks, order, fs) for each in taken if not each.whole]


def removals(taken: Sequence[Taken], staying: "Staying") -> list[Removal]:
    """Return what is removed, by origin, table and entries: ranges where nothing stays, else entry by entry."""
    gone: dict[Table, Counter[int]] = defaultdict(Counter)
    for each in taken:
        gone[each.file.table_name, each.file.origin] += each.gone
    found: list[Removal] = []
    for table, entries in sorted(gone.items()):
        found += _removals(table, entries, staying)
    return found


def _removals(table: Table, entries: Counter[int], staying: "Staying") -> Iterator[Removal]:
    name, origin = table
    last: Removal | None = None
    for entry in sorted(entries):
        whole = not staying.has(table, entry, entry)
        here = Removal(origin=origin, table=name, first=entry, last=entry, rows=entries[entry], whole=whole)
        if last is None:
            last = here
        elif whole and last.whole and not staying.has(table, last.last, entry):
            last = Removal(origin=origin, table=name, first=last.first, last=entry, rows=last.rows + here.rows, whole=True)
        else:
            yield last
            last = here
    if last is not None:
        yield last


class Staying:
    """Of which entries rows stay: in the files that are written anew, and in others."""

    def __init__(self, data: Path, catalog: Catalog, taken: Sequence[Taken]) -> None:
        self._kept: dict[Table, list[int]] = {}
        self._damaged = [(file.table_name, file.origin, file.min_entry, file.max_entry) for file in catalog.damaged_files()]
        touched = {each.file.path for each in taken}
        spans: dict[Table, tuple[int, int]] = {}
        kept: dict[Table, set[int]] = defaultdict(set)
        for each in taken:
            table = (each.file.table_name, each.file.origin)
            low, high = spans.get(table, (each.file.min_entry, each.file.max_entry))
            spans[table] = (min(low, each.file.min_entry), max(high, each.file.max_entry))
            kept[table] |= each.kept
        for file in catalog.live_files():
            span = spans.get((file.table_name, file.origin))
            if span is not None and file.path not in touched and file.min_entry <= span[1] and file.max_entry >= span[0]:
                try:
                    kept[file.table_name, file.origin].update(_entries(data / file.path))
                except (OSError, pa.ArrowException):
                    self._damaged.append((file.table_name, file.origin, file.min_entry, file.max_entry))
        self._kept = {table: sorted(entries) for table, entries in kept.items()}

    def has(self, table: Table, first: int, last: int) -> bool:
        """Whether a row of a table stays, or may be in a file that is set aside, in entries `first` to `last`."""
        entries = self._kept.get(table, [])
        at = bisect_left(entries, first)
        if at < len(entries) and entries[at] <= last:
            return True
        return any((name, origin) == table and low <= last and high >= first for name, origin, low, high in self._damaged)


def _entries(path: Path) -> list[int]:
    with pq.ParquetFile(path) as parquet:
        found: list[int] = pc.unique(parquet.read(["entry"])["entry"]).to_pylist()
        return found


def clear(data: Path, catalog: Catalog, gone: Sequence[Removal], fs: FileSystem = DISK) -> None:
    """Finish the moves, and delete every retired file that can hold what is gone (d). Safe to repeat; the caller holds the locks."""
    finish_moves(catalog, data, fs)
    spans: dict[Table, list[tuple[int, int]]] = defaultdict(list)
    for each in gone:
        spans[each.table, each.origin].append((each.first, each.last))
    held = [
        file
        for file in catalog.retired_files()
        if any(file.min_entry <= last and file.max_entry >= first for first, last in spans.get((file.table_name, file.origin), ()))
    ]
    folders = set()
    for file in held:
        path = retired(data, file.path)
        if path.exists():
            fs.unlink(path)
            folders.add(path.parent)
    for folder in sorted(folders):
        fs.sync_directory(folder)
    catalog.forget([file.path for file in held])
