"""What verification reads of Parquet files: their rows' leaves, and whether catalog, folder and footer say the truth about them.

A catalog that lies about a file hides rows: queries open no file whose times lie outside of what they ask for. A file may be rewritten,
by any tool and in any order of rows, as long as its rows are the committed ones; bytes that belong to no row are not.
"""

import hashlib
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.errors import StorageError
from storage.layout import FileRecord, locate
from storage.ledger.leaves import LEAVES, LeafReader
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_footer import footer_problems
from storage.parquet import effective_ns
from storage.schema import TIME_NS

GROUP_FILES: Final = 128
GROUP_ROWS: Final = 50_000
"""Files that are hashed by one query: planning one takes longer than hashing a small file."""
_NOBODY: Final = -(2**62)


class Gone(Exception):
    """A file is nowhere: compaction replaced it meanwhile, or somebody took it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """One file as it was read."""

    record: FileRecord
    digest: str = ""
    rows: pa.Table | None = None  # entry, entry_row and, of a file that is not known, leaf; by entry and row. None: it cannot be read
    known: bool = False  # its digest is that of a file whose rows were verified
    findings: tuple[Finding, ...] = ()
    note: str | None = None


def groups(files: Sequence[FileRecord]) -> Iterator[list[FileRecord]]:
    """Files in the order of their entries, those together that are small and share no entry."""
    group: list[FileRecord] = []
    for file in sorted(files, key=lambda each: (each.min_entry, each.max_entry)):
        full = len(group) == GROUP_FILES or sum(each.rows for each in group) + file.rows > GROUP_ROWS
        if group and (full or file.min_entry <= group[-1].max_entry):
            yield group
            group = []
        group.append(file)
    if group:
        yield group


class FileReader:
    """Reads files of a lake, in several threads at once: each has an instance of DuckDB of its own."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._local = threading.local()
        self._readers: list[LeafReader] = []

    def close(self) -> None:
        """Give the memory back."""
        for reader in self._readers:
            reader.close()

    def read(self, group: Sequence[FileRecord], known: Mapping[str, str], missing: Collection[str]) -> list[FileRows]:
        """Read files of one table that share no entry; `known`: by path, the digests under which their rows were verified.

        `missing`: paths that are known to be nowhere. Raises `Gone` when another one is.
        """
        looked = [_missing(each) if each.path in missing else self._look(each, known.get(each.path)) for each in group]
        waiting = [each for each in looked if each.rows is not None and not each.known]
        whole = [each for each in waiting if not each.findings]
        hashed = self._together(whole) if len(whole) > 1 else {}
        for each in waiting:
            if each.record.path not in hashed:
                hashed[each.record.path] = self._alone(each)
        return [hashed.get(each.record.path, each) for each in looked]

    def leaves(self, record: FileRecord) -> pa.Table:
        """Return the leaves of one file, as `FileRows.rows` has them. Raises `LedgerError`."""
        return self._leaves([record])

    def _look(self, record: FileRecord, known: str | None) -> FileRows:
        """Everything about a file but its leaves."""
        path = locate(self._data, record.path)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return _looked_at(path, record, digest, known=digest == known)
        except FileNotFoundError as error:
            raise Gone(record.path) from error
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            return _unreadable(record, type(error).__name__)

    def _together(self, files: Sequence[FileRows]) -> dict[str, FileRows]:
        """The same files with their leaves; none when they do not hold what they seem to hold: then each is read alone."""
        try:
            leaves = self._leaves([each.record for each in files])
        except StorageError:
            return {}
        entries = leaves["entry"].to_numpy()
        found = {}
        for each in files:
            begun = int(np.searchsorted(entries, each.record.min_entry))
            own = leaves.slice(begun, int(np.searchsorted(entries, each.record.max_entry, side="right")) - begun)
            if each.rows is None or not own.select(["entry", "entry_row"]).equals(each.rows.select(["entry", "entry_row"])):
                return {}
            found[each.record.path] = replace(each, rows=own)
        return found

    def _alone(self, file: FileRows) -> FileRows:
        try:
            return replace(file, rows=self._leaves([file.record]))
        except StorageError as error:
            if not locate(self._data, file.record.path).exists():
                raise Gone(file.record.path) from error
            return _unreadable(file.record, error.hint)

    def _leaves(self, records: Sequence[FileRecord]) -> pa.Table:
        reader: LeafReader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = LeafReader(threads=1)
            self._readers.append(reader)
        paths = [locate(self._data, each.path) for each in records]
        return _ordered(pa.Table.from_batches(reader.batches(paths, records[0].table_name), LEAVES).drop_columns(["origin"]))


def _missing(record: FileRecord) -> FileRows:
    finding = Finding(
        origin=record.origin, verdict=Verdict.MISSING, first=record.min_entry, last=record.max_entry, table=record.table_name,
        path=record.path, detail="the file is gone", rows=record.rows,
    )  # fmt: skip
    return FileRows(record=record, findings=(finding,))


def _unreadable(record: FileRecord, why: str) -> FileRows:
    finding = Finding(
        origin=record.origin, verdict=Verdict.ALTERED, first=record.min_entry, last=record.max_entry, table=record.table_name,
        path=record.path, detail=f"it cannot be read as rows of {record.table_name}: {why}", rows=record.rows,
    )  # fmt: skip
    return FileRows(record=record, findings=(finding,))


def _looked_at(path: Path, record: FileRecord, digest: str, *, known: bool) -> FileRows:
    """What a file says of its rows, against what the catalog says of the file."""
    columns = _columns(path, ["origin", "entry", "entry_row", TIME_NS[record.table_name], "received_ns", "clock_flagged"])
    rows = _ordered(columns.select(["entry", "entry_row"]))
    findings = [*_record_findings(record, rows), *_origin_findings(record, columns), *_time_findings(record, columns)]
    findings += [] if known else [_finding(record, *said) for said in footer_problems(path, record.table_name)]
    note = None
    if digest != record.sha256:
        note = f"{record.path} is not the file that was published: it was rewritten, or the catalog's digest of it was changed"
    return FileRows(record=record, digest=digest, rows=rows, known=known, findings=tuple(findings), note=note)


def _columns(path: Path, names: list[str]) -> pa.Table:
    with pq.ParquetFile(path) as parquet:
        return parquet.read(names)


def _ordered(rows: pa.Table) -> pa.Table:
    """Rows by entry and number; a row without one stands under a number that no entry has."""
    for place, name in enumerate(("entry", "entry_row")):
        rows = rows.set_column(place, name, pc.fill_null(rows[name].cast(pa.int64()), _NOBODY))
    return rows.sort_by([("entry", "ascending"), ("entry_row", "ascending")]).combine_chunks()


def _record_findings(record: FileRecord, rows: pa.Table) -> Iterator[Finding]:
    """What the catalog says of the rows, against the rows."""
    spread = pc.min_max(rows["entry"]).as_py()
    said = {"rows": record.rows, "first entry": record.min_entry, "last entry": record.max_entry}
    found = {"rows": rows.num_rows, "first entry": spread["min"], "last entry": spread["max"]}
    yield from (_lie(record, what, said[what], found[what]) for what in said if said[what] != found[what])


def _origin_findings(record: FileRecord, columns: pa.Table) -> Iterator[Finding]:
    origins = pc.unique(columns["origin"]).to_pylist()
    if origins not in ([record.origin], []):
        detail = f"it holds rows of another origin than {record.origin}"
        yield _finding(record, Verdict.ALTERED, detail)


def _time_findings(record: FileRecord, columns: pa.Table) -> Iterator[Finding]:
    """The times by which queries choose files, and the date of the folder."""
    name = record.table_name
    times = effective_ns(name, columns)
    spread: dict[str, Any] = pc.min_max(times).as_py()
    if spread["min"] is None:
        return
    for what, said, found in (("first time", record.min_ns, spread["min"]), ("last time", record.max_ns, spread["max"])):
        if said != found:
            yield _lie(record, what, said, found)
    folder = record.path.split("/")[1:3]
    dates = {datetime.fromtimestamp(each // 1_000_000_000, UTC).date().isoformat() for each in spread.values()}
    if folder != [name, f"date={record.date}"] or dates != {record.date}:
        yield _finding(record, Verdict.ALTERED, f"its rows are {name} of {', '.join(sorted(dates))}, which is not what its folder says")


def _lie(record: FileRecord, what: str, said: object, found: object) -> Finding:
    detail = f"the catalog says of it: {what} {said}; it is {found}"
    return _finding(record, Verdict.ALTERED, detail)


def _finding(record: FileRecord, verdict: Verdict, detail: str) -> Finding:
    return Finding(
        origin=record.origin, verdict=verdict, first=record.min_entry, last=record.max_entry, table=record.table_name, path=record.path,
        detail=detail,
    )  # fmt: skip
