"""Whether the footer of a Parquet file tells the truth about what is NULL.

Readers believe it. DuckDB gives NULL where the statistics say that every value of a column chunk is, while others decode the stored
value: so whoever edits a file together with its footer could show different rows to different readers.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from storage.ledger.errors import LedgerError

BATCH_ROWS: Final = 16_384


class Nulls(Enum):
    """What the statistics of a column chunk say."""

    ALL = "every value is NULL"
    NONE = "no value is NULL"
    UNKNOWN = "some values may be NULL"


def null_claims(group: pq.RowGroupMetaData) -> dict[str, Nulls]:
    """Return the claim about each leaf column of a row group, by its Parquet path; what an empty list or map lacks counts as NULL."""
    claims = {}
    for chunk in (group.column(number) for number in range(group.num_columns)):
        statistics = chunk.statistics
        nulls = statistics.null_count if statistics is not None and statistics.has_null_count else None
        claims[chunk.path_in_schema] = Nulls.ALL if nulls == chunk.num_values else Nulls.NONE if nulls == 0 else Nulls.UNKNOWN
    return claims


def column_of(leaf: str) -> str:
    """Return the column that a Parquet path is in."""
    return leaf.partition(".")[0]


def null_columns(parquet: pq.ParquetFile, group: int, leaves: Sequence[str], path: Path) -> set[str]:
    """Return the columns that are NULL in every row of a row group, of those with these leaf columns, which are said to be NULL.

    A column of empty lists or maps is not among them. Raises `LedgerError` about `path` when one of the leaf columns has a value.
    """
    found = {column_of(leaf) for leaf in leaves}
    if not leaves:
        return found
    for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=leaves, use_threads=False):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if any(len(leaf) > leaf.null_count for leaf in _leaves(column)):
                hint = f"its footer says that the column {name} is NULL where it has a value: restore it from a backup"
                raise LedgerError("hash rows", path, hint=hint)
            if column.null_count < len(column):
                found.discard(name)
    return found


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The arrays of an array's innermost values."""
    if pa.types.is_map(array.type):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        yield from _leaves(array.flatten())
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from _leaves(child)
    else:
        yield array
