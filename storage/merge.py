"""Merging Parquet files without ever holding one: rows stream through memory a row group at a time.

Inputs are read one after the other, in the order they were sealed, so row groups follow each other in time and are sorted within
(tenant, minute, trace, time). Files of different schema versions merge to the union of their columns: what a file never had is NULL.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from storage.durable import DISK, FileSystem
from storage.errors import DamagedFile
from storage.layout import FileRecord
from storage.parquet import ROW_GROUP_BYTES, ROW_GROUP_ROWS, ParquetFileWriter, Written, sort_rows
from storage.schema import TABLES

_BATCH_ROWS: Final = 8192
_READ_BYTES: Final = 1 << 20


class Stopped(Exception):
    """The caller wants to end: nothing was changed."""


def check_file(path: Path, record: FileRecord) -> pa.Schema:
    """Return the columns of a file that is exactly what was published; raises `DamagedFile` when it is not, OSError when unreadable."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise DamagedFile("read a file of the lake", path, hint="it is missing: restore it from a backup") from error
    if digest.hexdigest() != record.sha256:
        raise DamagedFile("read a file of the lake", path, hint="its SHA-256 is not the published one: restore it from a backup")
    with pq.ParquetFile(path) as parquet:
        if parquet.metadata.num_rows != record.rows:
            raise DamagedFile(
                "read a file of the lake", path, hint="its footer does not count the published rows: restore it from a backup"
            )
        return parquet.schema_arrow.remove_metadata()


def merge_files(
    name: str,
    inputs: Sequence[tuple[Path, pa.Schema]],
    output: Path,
    *,
    rows: int,
    stopping: Callable[[], bool],
    fs: FileSystem = DISK,
) -> Written:
    """Write the rows of `inputs` (checked files of table `name`, with their columns; `rows` in all) to `output`, durably.

    Memory is bounded by twice a row group, what it is encoded into, and for each row group of `output` its Bloom filters (0.5 MiB), which
    Arrow holds until the end. Raises `Stopped` when `stopping` says so between row groups; leaves no file behind then or on any other
    failure.
    """
    schema = union(name, [columns for _, columns in inputs])
    writer = ParquetFileWriter(output, schema, rows=rows, fs=fs)
    try:
        for table in map(partial(sort_rows, name), row_groups([path for path, _ in inputs], schema)):  # nobody holds the unsorted one
            if stopping():
                raise Stopped
            writer.write(table)
            del table  # before the next is read
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def union(name: str, schemas: Sequence[pa.Schema]) -> pa.Schema:
    """All columns of `schemas`, in the order and types of the present schema, then those it does not know (a newer version's)."""
    known = TABLES[name]
    present = {field.name: field for schema in schemas for field in schema}
    ordered = [field for field in known if field.name in present]
    return pa.schema([*ordered, *(field for column, field in present.items() if column not in known.names)])


def row_groups(paths: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of all files in order, as tables that make one row group each."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for path in paths:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_READ_BYTES) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                aligned = _aligned(batch, schema)
                if held and (rows + aligned.num_rows > ROW_GROUP_ROWS or size + aligned.nbytes > ROW_GROUP_BYTES):
                    rows = size = 0
                    yield _taken(held, schema)
                held.append(aligned)
                rows += aligned.num_rows
                size += aligned.nbytes
    if held:
        yield _taken(held, schema)


def _taken(held: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """The batches as a table that nobody else holds."""
    table = pa.Table.from_batches(held, schema)
    held.clear()
    return table


def _aligned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the columns of `schema`."""
    if batch.schema.equals(schema):
        return batch
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type) for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
