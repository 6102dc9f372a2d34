"""Writing a file of the lake anew without some of its rows; rows stay in their order, memory holds one row group.

Rows that shared a seed with one that goes keep their own salts instead (`storage.ledger.salts`).
"""

import re
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.durable import DISK, FileSystem
from storage.errors import StorageError
from storage.layout import FileRecord, staged
from storage.ledger.row_form import SALT
from storage.ledger.salts import seeds_in, with_own
from storage.merge import row_groups
from storage.parquet import ParquetFileWriter, effective_ns

_EARLIER: Final = re.compile(r"\.x[0-9a-f]{8}$")


def rewritten_path(path: str, order: str) -> str:
    """Return the live path of a file without the rows that an order takes: one that no file had before, so that no reader mixes them up."""
    stem = _EARLIER.sub("", path.removesuffix(".parquet"))
    return f"{stem}.x{order.replace('-', '')[:8]}.parquet"


def rewrite(data: Path, file: FileRecord, marks: bytearray, order: str, fs: FileSystem = DISK) -> FileRecord:
    """Write a file without the rows whose byte in `marks` is 1 beside the lake, durably, and return what it will be.

    At least one row stays. Raises OSError; leaves no file behind then.
    """
    path = rewritten_path(file.path, order)
    output = staged(data, path, merged=True)
    schema, leaving = pq.read_schema(data / file.path).remove_metadata(), _seeds_leaving(data / file.path, marks)
    writer = ParquetFileWriter(output, schema, rows=file.rows, fs=fs)
    bounds = _Bounds()
    try:
        at = 0
        for table in row_groups([data / file.path], schema):
            kept = table.filter(pc.equal(_marks(marks, at, table.num_rows), 0))
            at += table.num_rows
            if leaving:
                kept = with_own(kept, leaving).cast(schema)
            if kept.num_rows:
                bounds.widen(file.table_name, kept)
                writer.write(kept)
        written = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    fs.sync_directory(output.parent)
    if written.rows != pq.read_metadata(output).num_rows or written.rows != marks.count(0):
        fs.unlink(output)
        raise StorageError("write a file anew", file.path, hint="it does not hold the rows that stay: please report this defect")
    return FileRecord(
        path=path, table_name=file.table_name, date=file.date, origin=file.origin, level=file.level, rows=written.rows,
        bytes=written.bytes, min_ns=bounds.times[0], max_ns=bounds.times[1], min_entry=bounds.entries[0], max_entry=bounds.entries[1],
        sha256=written.sha256, sealed_ns=file.sealed_ns,
    )  # fmt: skip


def _seeds_leaving(path: Path, marks: bytearray) -> set[bytes]:
    """The seeds of rows that go: they must not stay with others, or what the row was could be tried out on its leaf hash."""
    found: set[bytes] = set()
    at = 0
    with pq.ParquetFile(path) as parquet:
        if SALT in parquet.schema_arrow.names:
            for batch in parquet.iter_batches(columns=[SALT], use_threads=False):
                found |= seeds_in(batch.column(0).filter(pc.equal(_marks(marks, at, batch.num_rows), 1)))
                at += batch.num_rows
    return found


def _marks(marks: bytearray, at: int, count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.uint8(), count, [None, pa.py_buffer(bytes(marks[at : at + count]))])


class _Bounds:
    """First and last time and entry of rows."""

    def __init__(self) -> None:
        self.times = (2**63 - 1, -(2**63))
        self.entries = (2**63 - 1, -(2**63))

    def widen(self, name: str, table: pa.Table) -> None:
        """Take in the rows of a table."""
        times, entries = pc.min_max(effective_ns(name, table)).as_py(), pc.min_max(table["entry"]).as_py()
        self.times = (min(self.times[0], times["min"]), max(self.times[1], times["max"]))
        self.entries = (min(self.entries[0], entries["min"]), max(self.entries[1], entries["max"]))
