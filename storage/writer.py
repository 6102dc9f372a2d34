"""Publishing a sealed segment: its rows become Parquet files in the lake, whole or not at all.

Every file is written beside the lake, synced, and only then renamed into it. Names derive from (origin, entry), so that sealing the
same segment again after a crash replaces the files instead of adding to them. A segment that the catalog knows must not be
published again: its files may be merged already (`Catalog.has_entry`).
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from storage.durable import DISK, FileSystem, hint_for, publish_all
from storage.errors import StorageError
from storage.layout import FileRecord, sealed_path, staged
from storage.parquet import ParquetFileWriter, Written, days, effective_ns, sort_rows
from storage.schema import TABLES


def publish_entry(
    data: Path, origin: str, entry: int, tables: Mapping[str, pa.Table], *, sealed_ns: int | None = None, fs: FileSystem = DISK
) -> list[FileRecord]:
    """Write the rows of one entry into the lake and return its files, ready for `Catalog.commit_entry`.

    `tables` maps a table's name to rows in exactly its schema; empty ones leave no file. All files are durable and visible on
    return; after a crash some of them may be visible, and publishing again makes the rest so. `sealed_ns` defaults to now.
    Raises `StorageError` when the disk refuses: nothing new is visible then, or it is replaced when the segment is sealed again.
    """
    when = time.time_ns() if sealed_ns is None else sealed_ns
    records: list[FileRecord] = []
    try:
        for name, table in tables.items():
            for date, part in _by_date(name, _checked(name, table)):
                records.append(_stage(data, name, date, part, origin=origin, entry=entry, sealed_ns=when, fs=fs))
        publish_all([(staged(data, record.path), data / record.path) for record in records], fs)
    except OSError as error:
        raise StorageError(f"publish entry {entry} of {origin}", data / "data", hint=hint_for(error)) from error
    return records


def _checked(name: str, table: pa.Table) -> pa.Table:
    schema = TABLES[name]
    if not table.schema.equals(schema):
        raise StorageError("publish rows", name, hint="their columns are not those of storage.schema: this is a defect of the decoder")
    return table


def _by_date(name: str, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each UTC date."""
    if not table.num_rows:
        return
    of_rows = days(name, table)
    found = pc.unique(of_rows).to_pylist()
    for day in sorted(found):
        date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        yield date, table if len(found) == 1 else table.filter(pc.equal(of_rows, day))


def _stage(data: Path, name: str, date: str, rows: pa.Table, *, origin: str, entry: int, sealed_ns: int, fs: FileSystem) -> FileRecord:
    path = sealed_path(name, date, origin, entry)
    times = pc.min_max(effective_ns(name, rows)).as_py()
    written = _write(staged(data, path), name, rows, fs)
    return FileRecord(
        path=path,
        table_name=name,
        date=date,
        origin=origin,
        level=0,
        rows=written.rows,
        bytes=written.bytes,
        min_ns=times["min"],
        max_ns=times["max"],
        min_entry=entry,
        max_entry=entry,
        sha256=written.sha256,
        sealed_ns=sealed_ns,
    )


def _write(path: Path, name: str, rows: pa.Table, fs: FileSystem) -> Written:
    writer = ParquetFileWriter(path, rows.schema, rows=rows.num_rows, fs=fs)
    try:
        writer.write(sort_rows(name, rows))
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise
