"""The leaf hashes of stored rows, computed from the Parquet files themselves: what is hashed is what a reader gets.

Two engines make the canonical forms. Arrow's kernels take row groups whole: a row costs them a third less, and a file of a few rows a
fifth of what planning a query does, which also takes 100 MiB. DuckDB streams the largest files. OpenSSL hashes what both make.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.ledger.canonical import form_sql, salted_sql
from storage.ledger.errors import LedgerError
from storage.ledger.footer import Footer, unreadable
from storage.ledger.kernels import salted_forms
from storage.ledger.merkle import root

if TYPE_CHECKING:
    import duckdb

LEAVES: Final = pa.schema([("origin", pa.large_string()), ("entry", pa.int64()), ("entry_row", pa.int64()), ("leaf", pa.binary(32))])
QUERY_ROWS: Final = 1_000_000
"""A file of so many rows is read by DuckDB."""
BATCH_ROWS: Final = 8192
_MEMORY_MIB: Final = 1024
_SETTINGS: Final = (
    "preserve_insertion_order = false",
    "arrow_large_buffer_size = true",
    "disabled_optimizers = 'statistics_propagation,compressed_materialization'",
)


def file_leaves(paths: Sequence[Path], table: str, *, believed: bool = False) -> pa.Table:
    """Return place and leaf hash of every row of these files of one table, in no order: the columns of `LEAVES`.

    A leaf is NULL where the row has no proper salt. `believed`: this process wrote the files, so their footers are not checked.
    Raises `LedgerError` when a file cannot be read or is not of the table.
    """
    with LeafReader(threads=1) as reader:
        return pa.Table.from_batches(reader.batches(paths, table, believed=believed), LEAVES)


def table_root(leaves: pa.Table) -> bytes:
    """Return the RFC 6962 root over the leaf hashes of one entry and table, in the order of `entry_row`.

    Raises `LedgerError` when a row has no leaf: it has no salt.
    """
    ordered = leaves.sort_by("entry_row")["leaf"]
    if ordered.null_count:
        raise LedgerError("commit to the rows of an entry", "the column salt", hint="it holds neither salt nor seed: report this defect")
    return root(ordered.to_pylist())


class LeafReader:
    """Hashes the rows of files, one file after the other. For one thread at a time."""

    def __init__(self, *, threads: int = 2, query_rows: int = QUERY_ROWS) -> None:
        """`threads` of DuckDB make forms beside the caller's, which hashes them; files with fewer than `query_rows` it makes itself."""
        self._threads = threads
        self._query_rows = query_rows
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> "LeafReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        if self._connection is not None:
            self._connection.close()

    def batches(self, paths: Sequence[Path], table: str, *, believed: bool = False) -> Iterator[pa.RecordBatch]:
        """Yield the rows of `file_leaves` in batches; memory holds about a row group. Raises `LedgerError` as it does."""
        for path in paths:
            footer = Footer(path, table, believed=believed)
            yield from self._queried(footer) if footer.rows >= self._query_rows else _read(footer)

    def _queried(self, footer: Footer) -> Iterator[pa.RecordBatch]:
        """The leaves by DuckDB."""
        import duckdb

        form = form_sql(footer.schema, set(footer.schema.names) - footer.null, filled=footer.filled)
        try:
            source = self._connected().read_parquet(str(footer.path), hive_partitioning=False)
            for batch in source.project(f"origin, entry::BIGINT, entry_row::BIGINT, {salted_sql(form)}").to_arrow_reader(BATCH_ROWS):
                yield pa.RecordBatch.from_arrays([*map(_copied, batch.columns[:3]), hashed(batch.column(3))], schema=LEAVES)
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise unreadable(footer.path, footer.table) from error

    def _connected(self) -> "duckdb.DuckDBPyConnection":
        from storage.early import connected

        if self._connection is None:
            self._connection = connected(threads=self._threads, memory_limit=f"{_MEMORY_MIB}MiB")
            for setting in _SETTINGS:
                self._connection.execute(f"SET {setting}")
        return self._connection


def _read(footer: Footer) -> Iterator[pa.RecordBatch]:
    """The leaves by Arrow's kernels."""
    names = [name for name in footer.schema.names if name not in footer.null]
    try:
        # text that is stored with a dictionary comes with it, and is put together once; within lists, only row groups by themselves
        with pq.ParquetFile(footer.path, read_dictionary=sorted(footer.repeated)) as parquet:
            for number in range(parquet.metadata.num_row_groups):
                for rows in parquet.read_row_group(number, columns=names, use_threads=False).to_batches(BATCH_ROWS):
                    places = [rows.column(name).cast(LEAVES.field(name).type) for name in LEAVES.names[:3]]
                    yield pa.RecordBatch.from_arrays([*places, hashed(salted_forms(rows))], schema=LEAVES)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(footer.path, footer.table) from error


def _copied(column: pa.Array) -> pa.Array:
    """Return a column apart from its batch, which DuckDB frees as a whole: who keeps places would keep all texts, a kilobyte a row."""
    return pa.concat_arrays([column, column[:0]])  # of one array alone it would be that array


def hashed(texts: pa.Array) -> pa.Array:
    """Return the SHA-256 of each value of a large_binary array, NULL where it is NULL."""
    _, offsets, data = texts.buffers()
    places = memoryview(offsets).cast("q")[texts.offset : texts.offset + len(texts) + 1].tolist() if len(texts) else []
    content = memoryview(data) if data is not None else b""
    digests = b"".join([sha256(content[start:end]).digest() for start, end in pairwise(places)])
    leaves = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(texts), [None, pa.py_buffer(digests)])
    return leaves if not texts.null_count else pc.if_else(texts.is_valid(), leaves, pa.scalar(None, pa.binary(32)))
