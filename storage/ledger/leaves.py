"""The leaf hashes of stored rows, computed from the Parquet files themselves: what is hashed is what a reader gets.

DuckDB makes the canonical forms, OpenSSL hashes them. DuckDB believes the statistics in a footer: it reads NULL where they say that every
value is, and other readers see what is stored. So whatever a footer says is NULL is decoded by Arrow, which does not ask it.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.errors import about
from storage.ledger.canonical import form_sql, type_names
from storage.ledger.errors import LedgerError
from storage.ledger.footer import Nulls, column_of, null_claims, null_columns
from storage.ledger.merkle import root
from storage.ledger.row_form import SALT, SALT_BYTES
from storage.schema import TABLES

LEAVES: Final = pa.schema([("origin", pa.large_string()), ("entry", pa.int64()), ("entry_row", pa.int64()), ("leaf", pa.binary(32))])
BATCH_ROWS: Final = 8192
_FILES: Final = 256
"""Files of one query: planning one costs milliseconds, however small they are."""
PLACE: Final = frozenset({"origin", "entry", "entry_row", SALT})
_SETTINGS: Final = (
    "preserve_insertion_order = false",
    "arrow_large_buffer_size = true",
    "disabled_optimizers = 'statistics_propagation,compressed_materialization'",
)


def file_leaves(paths: Sequence[Path], table: str) -> pa.Table:
    """Return place and leaf hash of every row of these files of one table, in no order: the columns of `LEAVES`.

    A leaf is NULL where the row has no proper salt. Raises `LedgerError` when a file cannot be read or is not of the table.
    """
    with LeafReader(threads=1) as reader:
        return pa.Table.from_batches(reader.batches(paths, table), LEAVES)


def table_root(leaves: pa.Table) -> bytes:
    """Return the RFC 6962 root over the leaf hashes of one entry and table, in the order of `entry_row`.

    Raises `LedgerError` when a row has no leaf: its salt is not 16 bytes.
    """
    ordered = leaves.sort_by("entry_row")["leaf"]
    if ordered.null_count:
        raise LedgerError("commit to the rows of an entry", "the column salt", hint="it does not hold 16 bytes: report this defect")
    return root(ordered.to_pylist())


class LeafReader:
    """Hashes the rows of many files with one DuckDB instance. For one thread at a time."""

    def __init__(self, *, threads: int = 2, memory_mib: int = 1024) -> None:
        """`threads` of DuckDB make the forms, beside the caller's, which hashes them."""
        import duckdb

        self._connection = duckdb.connect(
            config={
                "threads": threads,
                "memory_limit": f"{memory_mib}MiB",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            }
        )
        for setting in _SETTINGS:
            self._connection.execute(f"SET {setting}")

    def __enter__(self) -> "LeafReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def batches(self, paths: Sequence[Path], table: str) -> Iterator[pa.RecordBatch]:
        """Yield place and leaf hash of every row of these files, `LEAVES`, in no order; memory holds some row groups.

        Raises `LedgerError` when a file cannot be read or is not of the table; what was yielded before is right nevertheless.
        """
        groups: dict[tuple[tuple[str, str], ...], list[_File]] = {}
        for path in paths:
            file = _File(path, table)
            groups.setdefault(file.types, []).append(file)
        for files in groups.values():
            for start in range(0, len(files), _FILES):
                yield from self._of_files(files[start : start + _FILES], table)

    def _of_files(self, files: Sequence["_File"], table: str) -> Iterator[pa.RecordBatch]:
        import duckdb

        paths = [str(file.path) for file in files]
        try:
            source = self._connection.read_parquet(paths, hive_partitioning=False, union_by_name=True)
            for batch in source.project(_projection(files)).to_arrow_reader(BATCH_ROWS):
                yield pa.RecordBatch.from_arrays([*batch.columns[:3], hashed(batch.column(3))], schema=LEAVES)
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            raise self._unreadable(files, table) from error

    def _unreadable(self, files: Sequence["_File"], table: str) -> LedgerError:
        """The error that names the first file, of those read together, that cannot be read alone."""
        import duckdb

        for file in files:
            try:
                for _ in self._connection.read_parquet(str(file.path), hive_partitioning=False).to_arrow_reader(BATCH_ROWS):
                    pass
            except (OSError, pa.ArrowException, duckdb.Error):
                return _unreadable(file.path, table)
        return _unreadable(files[0].path, table)


def _projection(files: Sequence["_File"]) -> str:
    """SQL for the columns of `LEAVES`, the last one still unhashed."""
    empty = set.intersection(*(file.empty for file in files))
    filled = set.intersection(*(file.filled for file in files))
    form = form_sql(files[0].schema, set(files[0].schema.names) - empty, filled=filled)
    prefixed = f"CASE WHEN octet_length({SALT}) = {SALT_BYTES} THEN '\\x00'::BLOB || {SALT} || encode({form}) END"
    return f"origin, entry::BIGINT, entry_row::BIGINT, {prefixed} AS leaf"


class _File:
    """What the footer of a file says: its columns, and which of them are NULL in every row, or in none."""

    def __init__(self, path: Path, table: str) -> None:
        """Raises `LedgerError` when the file cannot be read, is not of the table, or says NULL of what has a value."""
        self.path = path
        try:
            with pq.ParquetFile(path) as parquet:
                self.schema: pa.Schema = parquet.schema_arrow.remove_metadata()
                self.types = tuple(checked_types(path, self.schema, table).items())
                names = set(self.schema.names)
                self.empty, self.filled = names - PLACE, names
                for number in range(parquet.metadata.num_row_groups):
                    claims = null_claims(parquet.metadata.row_group(number))
                    said = [leaf for leaf, claim in claims.items() if claim is Nulls.ALL]
                    self.empty = self.empty & null_columns(parquet, number, said, path)
                    self.filled = self.filled - {column_of(leaf) for leaf, claim in claims.items() if claim is not Nulls.NONE}
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, table) from error


def checked_types(path: Path, schema: pa.Schema, table: str) -> dict[str, str]:
    """Return `type_names`; raises `LedgerError` when a column of the table has another type, or the ledger's columns are missing."""
    with about(str(path)):
        found, expected = type_names(schema), _types_of(table)
    for name in sorted(expected.keys() & (found.keys() | PLACE)):
        if found.get(name) != expected[name]:
            hint = f"its column {name} is {found.get(name, 'missing')} and not {expected[name]}: restore it from a backup"
            raise LedgerError(f"hash rows of {table}", path, hint=hint)
    return found


@cache
def _types_of(table: str) -> dict[str, str]:
    return type_names(TABLES[table])


def _unreadable(path: Path, table: str) -> LedgerError:
    return LedgerError(f"hash rows of {table}", path, hint="it is missing or cannot be read as Parquet: restore it from a backup")


def hashed(texts: pa.Array) -> pa.Array:
    """Return the SHA-256 of each value of a large_binary array, NULL where it is NULL."""
    _, offsets, data = texts.buffers()
    places = memoryview(offsets).cast("q")[texts.offset : texts.offset + len(texts) + 1].tolist() if len(texts) else []
    bytes_ = memoryview(data) if data is not None else b""
    digests = b"".join([sha256(bytes_[start:end]).digest() for start, end in pairwise(places)])
    leaves = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(texts), [None, pa.py_buffer(digests)])
    return leaves if not texts.null_count else pc.if_else(texts.is_valid(), leaves, pa.scalar(None, pa.binary(32)))
