"""What the footer of a Parquet file says, and whether it tells the truth about what is NULL.

Readers believe it. DuckDB gives NULL where the statistics say that every value of a column chunk is, while others decode the stored
value: so whoever edits a file together with its footer could show different rows to different readers.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from storage.errors import about
from storage.ledger.canonical import type_names
from storage.ledger.errors import LedgerError
from storage.ledger.row_form import SALT
from storage.schema import TABLES

PLACE: Final = frozenset({"origin", "entry", "entry_row", SALT})
"""The columns without which no row has a leaf."""
_BATCH_ROWS: Final = 16_384


class Nulls(Enum):
    """What the statistics of a column chunk say; what an empty list or map lacks counts as NULL."""

    ALL = "every value is NULL"
    NONE = "no value is NULL"
    UNKNOWN = "some values may be NULL"


class Footer:
    """The columns of a file of the lake."""

    def __init__(self, path: Path, table: str, *, believed: bool = False) -> None:
        """`believed`: this process wrote the file, so nothing is decoded to check it.

        Raises `LedgerError` when the file cannot be read, is not of the table, or has a value where its footer says NULL.
        """
        self.path = path
        self.table = table
        try:
            with pq.ParquetFile(path) as parquet:
                self.rows: int = parquet.metadata.num_rows
                self.schema: pa.Schema = parquet.schema_arrow.remove_metadata()
                self.types = checked_types(path, self.schema, table)
                self.null, self.filled, self.repeated = set(self.types) - PLACE, set(self.types), set[str]()
                for number in range(parquet.metadata.num_row_groups):
                    self._read_group(parquet, number, believed=believed)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, table) from error

    null: set[str]
    """Columns that are NULL in every row."""
    filled: set[str]
    """Columns without a NULL, or so the footer says."""
    repeated: set[str]
    """Leaf columns of text or bytes that are stored with a dictionary, by their Parquet paths."""

    def _read_group(self, parquet: pq.ParquetFile, number: int, *, believed: bool) -> None:
        group = parquet.metadata.row_group(number)
        claims = {chunk.path_in_schema: _claim(chunk) for chunk in _chunks(group)}
        said = [leaf for leaf, claim in claims.items() if claim is Nulls.ALL]
        self.null &= {leaf for leaf in said if "." not in leaf} if believed else self._null_columns(parquet, number, said)
        self.filled -= {_column_of(leaf) for leaf, claim in claims.items() if claim is not Nulls.NONE}
        self.repeated |= {chunk.path_in_schema for chunk in _chunks(group) if _is_repeated(chunk)}

    def _null_columns(self, parquet: pq.ParquetFile, group: int, names: Sequence[str]) -> set[str]:
        """The columns that are NULL in every row, of those with these leaf columns, which are said to be NULL: not those of empty lists."""
        found = {_column_of(leaf) for leaf in names}
        batches = parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names, use_threads=False) if names else ()
        for batch in batches:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if any(len(leaf) > leaf.null_count for leaf in leaves(column)):
                    hint = f"its footer says that the column {name} is NULL where it has a value: restore it from a backup"
                    raise LedgerError("hash rows", self.path, hint=hint)
                if column.null_count < len(column):
                    found.discard(name)
        return found


def unreadable(path: Path, table: str) -> LedgerError:
    """Return the error about a file that is gone or damaged."""
    return LedgerError(f"hash rows of {table}", path, hint="it is missing or cannot be read as Parquet: restore it from a backup")


def checked_types(path: Path, schema: pa.Schema, table: str) -> Mapping[str, str]:
    """Return `type_names`; raises `LedgerError` when a column of the table has another type, or the ledger's columns are missing."""
    with about(str(path)):
        found, expected = type_names(schema), _types_of(table)
    for name in sorted(expected.keys() & (found.keys() | PLACE)):
        if found.get(name) != expected[name]:
            hint = f"its column {name} is {found.get(name, 'missing')} and not {expected[name]}: restore it from a backup"
            raise LedgerError(f"hash rows of {table}", path, hint=hint)
    return found


@cache
def _types_of(table: str) -> Mapping[str, str]:
    return type_names(TABLES[table])


def _chunks(group: pq.RowGroupMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    return (group.column(number) for number in range(group.num_columns))


def _claim(chunk: pq.ColumnChunkMetaData) -> Nulls:
    statistics = chunk.statistics
    nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
    return Nulls.ALL if nulls == chunk.num_values else Nulls.NONE if nulls == 0 else Nulls.UNKNOWN


def _is_repeated(chunk: pq.ColumnChunkMetaData) -> bool:
    return chunk.physical_type == "BYTE_ARRAY" and "RLE_DICTIONARY" in chunk.encodings


def _column_of(leaf: str) -> str:
    """The column that a Parquet path is in."""
    return leaf.partition(".")[0]


def leaves(array: pa.Array) -> Iterator[pa.Array]:
    """Yield the arrays of an array's innermost values, in the order of their Parquet columns."""
    if pa.types.is_map(array.type):
        yield from leaves(array.keys)
        yield from leaves(array.items)
    elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        yield from leaves(array.flatten())
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from leaves(child)
    else:
        yield array
