"""How our Parquet files are written: one pass, hashed as they go, and durable before anyone can see them.

zstd level 3, large_utf8, row groups of at most 122,880 rows or 64 MiB of Arrow data (a few huge prompts must not make a row group
that no reader can hold), Bloom filters on the ids that runs are looked up by, statistics on every column. Dictionaries are kept
off the columns whose values hardly repeat: they would be built, overflow and be thrown away.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.durable import DISK, FileSystem, make_directory, write_all
from storage.schema import TIME_NS

ROW_GROUP_ROWS: Final = 122_880
ROW_GROUP_BYTES: Final = 64 << 20
BLOOM_COLUMNS: Final = ("trace_id", "run_id")
BLOOM_FALSE_POSITIVES: Final = 0.01

_DISTINCT: Final = frozenset({
    "trace_id", "span_id", "parent_span_id", "run_id", "response_id", "tool_call_id", "body", "status_message",
    "latency_ms", "cost_usd", "eval_score", "value", "value_int", "sum", "min", "max", "exemplars", "sequence",
    "attributes.key_value.value", "events.list.element.time_ns", "events.list.element.attributes.key_value.value",
    "links.list.element.trace_id", "links.list.element.span_id",
})  # fmt: skip
"""Columns, or leaves of nested ones, whose values hardly repeat."""
_COUNTING: Final = frozenset({
    "start_time", "end_time", "start_ns", "end_ns", "time", "observed_time", "time_ns", "observed_ns", "received_ns", "entry_row",
})  # fmt: skip
"""Integers near their neighbours: stored as differences."""
_MINUTE_NS: Final = 60 * 1_000_000_000
_DAY_NS: Final = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What stands on the disk."""

    rows: int
    bytes: int
    sha256: str


class ParquetFileWriter:
    """Writes one file of the lake row group by row group; memory holds one row group. Raises OSError from the disk."""

    def __init__(self, path: Path, schema: pa.Schema, *, rows: int, fs: FileSystem = DISK) -> None:
        """`rows` is an upper bound of what will be written: it sizes the Bloom filters."""
        self.path = path
        self._fs = fs
        self._rows = 0
        make_directory(path.parent, fs)
        self._sink = _HashingSink(path, fs)
        self._buffer = io.BufferedWriter(self._sink, 1 << 20)
        filters = {"ndv": max(1, min(rows, ROW_GROUP_ROWS)), "fpp": BLOOM_FALSE_POSITIVES}
        dictionary, encodings = _encodings(schema)
        try:
            self._writer = pq.ParquetWriter(
                self._buffer,
                schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=dictionary,
                column_encoding=encodings,
                write_statistics=True,
                bloom_filter_options={name: filters for name in BLOOM_COLUMNS if name in schema.names},
            )
        except BaseException:
            self._sink.release()
            raise

    def write(self, table: pa.Table) -> None:
        """Append rows, as one row group or as many as their number and size need."""
        for part in row_group_slices(table):
            self._writer.write_table(part, row_group_size=ROW_GROUP_ROWS)
        self._rows += table.num_rows

    def finish(self) -> Written:
        """Write the footer and make the file durable (not yet its name in the lake)."""
        self._writer.close()
        self._buffer.flush()
        self._fs.sync(self._sink.fileno())
        self._buffer.close()
        return Written(rows=self._rows, bytes=self._sink.size_bytes, sha256=self._sink.digest.hexdigest())

    def abandon(self) -> None:
        """Give up after a failure, leaving no file; never raises."""
        self._writer.is_open = False  # or its finalizer would write a footer into a closed file
        self._sink.release()
        try:
            self._fs.unlink(self.path)
        except OSError:
            return


class _HashingSink(io.RawIOBase):
    """The file under a `ParquetFileWriter`: counts and hashes what passes."""

    def __init__(self, path: Path, fs: FileSystem) -> None:
        self._fs = fs
        self._descriptor = fs.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self._released = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: Any, /) -> int:  # a bytes-like object
        if self._released:
            return len(data)
        write_all(self._fs, self._descriptor, data)
        self.digest.update(data)
        self.size_bytes += len(data)
        return len(data)

    def release(self) -> None:
        """Close the file without writing what is still buffered above."""
        if not self._released:
            self._released = True
            self._fs.close(self._descriptor)

    def close(self) -> None:
        self.release()
        super().close()


def _encodings(schema: pa.Schema) -> tuple[list[str], dict[str, str]]:
    """The leaves to write with a dictionary, and the encodings of others."""
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    dictionary = [leaf for leaf in leaves if leaf not in _DISTINCT and leaf not in _COUNTING and leaf.split(".")[0] != "exemplars"]
    return dictionary, {leaf: "DELTA_BINARY_PACKED" for leaf in leaves if leaf in _COUNTING}


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    """The Parquet paths below a column (Parquet format, LogicalTypes.md, nested types)."""
    if pa.types.is_map(kind):
        yield from _leaves(f"{path}.key_value.key", kind.key_type)
        yield from _leaves(f"{path}.key_value.value", kind.item_type)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    else:
        yield path


def row_group_slices(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table into parts of at most `ROW_GROUP_ROWS` rows and about `ROW_GROUP_BYTES`."""
    if not table.num_rows:
        return
    average = max(1, table.nbytes // table.num_rows)
    rows = max(1, min(ROW_GROUP_ROWS, ROW_GROUP_BYTES // average))
    for start in range(0, table.num_rows, rows):
        yield table.slice(start, rows)


def sort_rows(name: str, table: pa.Table) -> pa.Table:
    """Order rows by (tenant, minute, trace or metric, time): the neighbours of a query end up in the same pages."""
    time = table[TIME_NS[name]]
    keys = {
        "tenant": table["tenant"],
        "minute": pc.divide(time, _MINUTE_NS),
        "group": table["metric_name" if name == "metrics" else "trace_id"],
        "time": time,
        "entry": table["entry"],
        "entry_row": table["entry_row"],
    }
    order = pc.sort_indices(pa.table(keys), sort_keys=[(key, "ascending") for key in keys])
    columns = [column.combine_chunks().take(order) for column in table.columns]  # one by one: only one column is held three times
    return pa.Table.from_arrays(columns, schema=table.schema)


def effective_ns(name: str, table: pa.Table) -> pa.ChunkedArray:
    """The time that decides a row's date: its own, or its receive time when its own is absurd or missing."""
    own = pc.if_else(pc.fill_null(table["clock_flagged"], False), table["received_ns"], table[TIME_NS[name]])
    return pc.fill_null(pc.coalesce(own, table["received_ns"]), 0)


def days(name: str, table: pa.Table) -> pa.ChunkedArray:
    """The date that a row is filed under, as days since 1970."""
    times = effective_ns(name, table)
    floor = pc.if_else(pc.less(times, 0), pc.subtract(times, _DAY_NS - 1), times)  # integer division goes towards zero
    return pc.divide(floor, _DAY_NS)
