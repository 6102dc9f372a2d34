"""What verification reads of Parquet files: their rows' leaves, and whether catalog, folder and footer say the truth about them.

A catalog that lies about a file hides rows: queries open no file whose times lie outside of what they ask for. A file may be rewritten,
by any tool and in any order of rows, as long as its rows are the committed ones; bytes that belong to no row are not.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.layout import FileRecord, locate
from storage.ledger.errors import LedgerError
from storage.ledger.footer import checked_types, unreadable
from storage.ledger.verdicts import Finding, Verdict
from storage.ledger.verify_footer import group_problems, hidden_bytes
from storage.ledger.verify_hashing import NOBODY, Hashing, Leaves
from storage.parquet import effective_ns
from storage.schema import TIME_NS

GROUP_FILES: Final = 128
GROUP_ROWS: Final = 25_000
"""Files that are read together: a kernel costs as much for a row as for hundreds."""
_WHOLE_BYTES: Final = 16 << 20
"""A file of so many bytes is read once; a larger one twice, to hash it and to decode it."""
_SMALL_ROWS: Final = 4096
_FAILURES: Final = (OSError, pa.ArrowException, LedgerError, KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError)
"""What damaged files raise."""


class Gone(Exception):
    """A file is nowhere: compaction replaced it meanwhile, or somebody took it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A file to read, and what is known of it."""

    record: FileRecord
    known: str | None = None  # the SHA-256 under which its rows were verified before
    published: str | None = None  # the SHA-256 that the signed log names
    missing: bool = False  # it is nowhere, and that is no surprise


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRows:
    """One file as it was read."""

    record: FileRecord
    digest: str = ""
    rows: pa.Table | None = None  # entry, entry_row and, of a file that is not known, leaf; by entry and row. None: it cannot be read
    roots: Mapping[int, bytes] = field(default_factory=dict)  # by entry, over its rows in this file, when all of them have a leaf
    known: bool = False  # its digest is that of a file whose rows were verified
    findings: tuple[Finding, ...] = ()
    note: str | None = None


def groups(files: Sequence[FileRecord]) -> Iterator[list[FileRecord]]:
    """Files in the order of their entries, those together that are small."""
    group: list[FileRecord] = []
    for file in sorted(files, key=lambda each: (each.min_entry, each.max_entry)):
        full = len(group) == GROUP_FILES or sum(each.rows for each in group) + file.rows > GROUP_ROWS
        if group and full:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


class FileReader:
    """Reads files of a lake, in this process."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def close(self) -> None:
        """Nothing is held."""

    def read(self, group: Sequence[Asked]) -> list[FileRows]:
        """Read files of one table. Raises `Gone` when one is nowhere of which that was not said."""
        hashing = Hashing()
        looked = [missing(each.record) if each.missing else self._look(each, hashing) for each in group]
        leaves = hashing.finish()
        return [self._with_leaves(each, leaves.get(each.record.path)) for each in looked]

    def unchanged(self, asked: Asked) -> FileRows | None:
        """Return the rows of a file that is as it was when it was verified; None for any other. Raises `Gone` when it is nowhere."""
        try:
            source, digest = opened(locate(self._data, asked.record.path))
            if digest != asked.known:
                return None
            with pq.ParquetFile(source) as parquet:
                return _looked_at(asked.record, digest, parquet.read(_names(asked.record), use_threads=False), known=True)
        except FileNotFoundError as error:
            raise Gone(asked.record.path) from error
        except _FAILURES:
            return None

    def leaves(self, record: FileRecord) -> pa.Table:
        """Return the leaves of one file, as `FileRows.rows` has them. Raises `LedgerError`."""
        (found,) = self.read([Asked(record=record)])
        if found.rows is None:
            raise unreadable(locate(self._data, record.path), record.table_name)
        return found.rows

    def _look(self, asked: Asked, hashing: Hashing) -> FileRows:
        """Everything about a file but its leaves, which are `hashing`'s."""
        record, path = asked.record, locate(self._data, asked.record.path)
        try:
            source, digest = opened(path)
            with pq.ParquetFile(source) as parquet:
                if digest == asked.known:
                    return _looked_at(record, digest, parquet.read(_names(record), use_threads=False), known=True)
                return _decoded(asked, digest, source, parquet, hashing)
        except FileNotFoundError as error:
            raise Gone(record.path) from error
        except _FAILURES as error:
            return cannot_be_read(record, error.hint if isinstance(error, LedgerError) else type(error).__name__)

    def _with_leaves(self, file: FileRows, leaves: Leaves | None) -> FileRows:
        if file.rows is None or file.known:
            return file
        if leaves is None:
            return cannot_be_read(file.record, "its rows have no canonical form")
        return replace(file, rows=leaves.rows, roots=leaves.roots)


def opened(path: Path) -> tuple[Any, str]:
    """Return what Parquet reads from, and the SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        content = file.read(_WHOLE_BYTES)
        if len(content) < _WHOLE_BYTES:
            return pa.BufferReader(content), hashlib.sha256(content).hexdigest()
        file.seek(0)
        return path, hashlib.file_digest(file, "sha256").hexdigest()


def missing(record: FileRecord) -> FileRows:
    """What is said of a file that is nowhere."""
    return FileRows(record=record, findings=(_finding(record, Verdict.MISSING, "the file is gone", rows=record.rows),))


def cannot_be_read(record: FileRecord, why: str) -> FileRows:
    """What is said of a file of which nothing can be said."""
    detail = f"it cannot be read as rows of {record.table_name}: {why}"
    return FileRows(record=record, findings=(_finding(record, Verdict.ALTERED, detail, rows=record.rows),))


def _names(record: FileRecord) -> list[str]:
    return ["origin", "entry", "entry_row", TIME_NS[record.table_name], "received_ns", "clock_flagged"]


def _decoded(asked: Asked, digest: str, source: Any, parquet: pq.ParquetFile, hashing: Hashing) -> FileRows:
    """A file that is not known: all of its rows, and what its footer says of them unless the log vouches for every byte."""
    record, metadata = asked.record, parquet.metadata
    checked_types(locate(Path(), record.path), parquet.schema_arrow, record.table_name)
    problems = [] if digest == asked.published else [*hidden_bytes(source, metadata)]
    if metadata.num_rows >= _SMALL_ROWS:  # text that is stored with a dictionary comes with it, and its form is made once
        parquet = pq.ParquetFile(source, metadata=metadata, read_dictionary=_repeated(metadata))
    columns: list[pa.Table] = []
    for number in range(metadata.num_row_groups):
        rows = parquet.read_row_group(number, use_threads=False).combine_chunks()
        problems += [] if digest == asked.published else [*group_problems(source, metadata.row_group(number), rows)]
        columns.append(_placed(record, rows))
        hashing.add(record.path, rows)
    everything = pa.concat_tables(columns) if columns else parquet.read(_names(record))
    if not columns:
        hashing.add(record.path, parquet.schema_arrow.empty_table())
    looked = _looked_at(record, digest, everything, known=False)
    found = [_finding(record, *said) for said in dict.fromkeys(problems)]
    return replace(looked, findings=(*looked.findings, *found))


def _placed(record: FileRecord, rows: pa.Table) -> pa.Table:
    """The columns that say where rows are; row groups have dictionaries of their own, which nothing can compare."""
    found = rows.select(_names(record))
    origin = found["origin"].combine_chunks()
    return found.set_column(0, "origin", origin.dictionary_decode()) if pa.types.is_dictionary(origin.type) else found


def _repeated(metadata: pq.FileMetaData) -> list[str]:
    """Leaf columns of text that are stored with a dictionary, by their Parquet paths."""
    chunks = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)] if metadata.num_row_groups else []
    return [each.path_in_schema for each in chunks if each.physical_type == "BYTE_ARRAY" and "RLE_DICTIONARY" in each.encodings]


def _looked_at(record: FileRecord, digest: str, columns: pa.Table, *, known: bool) -> FileRows:
    """What a file says of its rows, against what the catalog says of the file."""
    rows = _ordered(columns.select(["entry", "entry_row"]))
    findings = [*_record_findings(record, rows), *_origin_findings(record, columns), *_time_findings(record, columns)]
    note = None
    if digest != record.sha256:
        note = f"{record.path} is not the file that was published: it was rewritten, or the catalog's digest of it was changed"
    return FileRows(record=record, digest=digest, rows=rows, known=known, findings=tuple(findings), note=note)


def _ordered(rows: pa.Table) -> pa.Table:
    """Rows by entry and number; a row without one stands under a number that no entry has."""
    for place, name in enumerate(("entry", "entry_row")):
        rows = rows.set_column(place, name, pc.fill_null(rows[name].cast(pa.int64()), NOBODY))
    return rows.sort_by([("entry", "ascending"), ("entry_row", "ascending")])


def _record_findings(record: FileRecord, rows: pa.Table) -> Iterator[Finding]:
    """What the catalog says of the rows, against the rows."""
    first, last = (rows["entry"][0].as_py(), rows["entry"][-1].as_py()) if rows.num_rows else (None, None)
    said = {"rows": record.rows, "first entry": record.min_entry, "last entry": record.max_entry}
    found = {"rows": rows.num_rows, "first entry": first, "last entry": last}
    yield from (_lie(record, what, said[what], found[what]) for what in said if said[what] != found[what])


def _origin_findings(record: FileRecord, columns: pa.Table) -> Iterator[Finding]:
    origins = pc.unique(columns["origin"]).to_pylist()
    if origins not in ([record.origin], []):
        yield _finding(record, Verdict.ALTERED, f"it holds rows of another origin than {record.origin}")


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
    return _finding(record, Verdict.ALTERED, f"the catalog says of it: {what} {said}; it is {found}")


def _finding(record: FileRecord, verdict: Verdict, detail: str, *, rows: int = 0) -> Finding:
    return Finding(
        origin=record.origin, verdict=verdict, first=record.min_entry, last=record.max_entry, table=record.table_name, path=record.path,
        detail=detail, rows=rows,
    )  # fmt: skip
