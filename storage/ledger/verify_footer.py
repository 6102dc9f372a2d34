"""What a Parquet footer says beside the rows: bytes that belong to none, and bounds and filters of columns by which queries skip rows.

Nothing of this is looked at in a file whose every byte the signed log vouches for. What DuckDB does not go by is not looked at in any:
the footer's own texts, values of dictionaries that no row has, bounds within lists and maps, page indexes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.ledger.footer import leaves
from storage.ledger.verdicts import Verdict
from storage.ledger.verify_bloom import HEADER_BYTES, extent, lacks
from storage.ledger.verify_thrift import page_indexes

_MAGIC_BYTES: Final = 4
_TAIL_BYTES: Final = 8
_SKIPPED: Final = ": queries skip some of them"
Problem = tuple[Verdict, str]
Source: TypeAlias = Any
"""Where a file is: its path, or a buffer reader of it as a whole."""


def hidden_bytes(source: Source, metadata: pq.FileMetaData) -> Iterator[Problem]:
    """Yield what is wrong with the layout of a file. Raises OSError, ValueError, LookupError or TypeError when it has none."""
    if extra := _unexplained(source, metadata):
        yield Verdict.EXTRA, f"{extra} bytes of it belong to no row: something was appended or inserted"
    if metadata.num_rows != sum(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)):
        yield Verdict.ALTERED, "its footer counts other rows than its row groups do"


def _unexplained(source: Source, metadata: pq.FileMetaData) -> int:
    """How many bytes belong to no page, filter, index or footer: text can be hidden there, out of sight of every reader."""
    size = source.stat().st_size if isinstance(source, Path) else source.size()
    footer = size - _TAIL_BYTES - int.from_bytes(_bytes(source, size - _TAIL_BYTES, 4), "little")
    parts, indexed = [(0, _MAGIC_BYTES), (footer, size)], False
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            indexed = indexed or column.has_offset_index or column.has_column_index
            begun = min(each for each in (column.dictionary_page_offset, column.data_page_offset) if each)
            parts.append((begun, begun + column.total_compressed_size))
            if place := column.bloom_filter_offset:
                parts.append((place, place + sum(extent(_bytes(source, place, HEADER_BYTES)) or (0, 0))))
    if indexed:
        parts += page_indexes(_bytes(source, footer, size - _TAIL_BYTES - footer))
    at = extra = 0
    for begun, ended in sorted(parts):
        extra += max(0, begun - at)
        at = max(at, ended)
    return extra


def group_problems(source: Source, group: pq.RowGroupMetaData, rows: pa.Table) -> Iterator[Problem]:
    """Yield what the footer says of a row group that its rows, in one chunk, are not."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    at = 0
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        values = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        for leaf in leaves(values):
            chunk, at = chunks[at], at + 1
            said = chunk.statistics
            nulls = said.null_count if said is not None and said.has_null_count else None
            if nulls == chunk.num_values and len(leaf) > leaf.null_count:
                yield Verdict.ALTERED, f"its footer says that {chunk.path_in_schema} is NULL where it has a value{_SKIPPED}"
            if chunk.path_in_schema != name:
                continue  # by what is within lists and maps no row group is skipped
            if nulls == 0 and leaf.null_count:
                yield Verdict.ALTERED, f"its footer says that {name} is never NULL where it is{_SKIPPED}"
            if said is not None and said.has_min_max and _is_too_narrow(said, leaf):
                yield Verdict.ALTERED, f"its footer bounds {name} more narrowly than its rows do{_SKIPPED}"
            if chunk.bloom_filter_offset:
                yield from _filter_problems(source, chunk, leaf)


def _is_too_narrow(said: pq.Statistics, values: pa.Array) -> bool:
    """Whether values stand outside of what the footer says are the least and the greatest."""
    if pa.types.is_dictionary(values.type):
        if not _is_too_narrow(said, values.dictionary):
            return False
        values = values.dictionary_decode()  # or only a value that the dictionary has and no row
    kind = values.type
    if pa.types.is_temporal(kind):
        values = values.cast(pa.int64())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_fixed_size_binary(kind):
        values = values.cast(pa.large_binary())
    unsigned = pa.types.is_unsigned_integer(kind)
    low, high = (said.min, said.max) if unsigned else (said.min_raw, said.max_raw)
    found: dict[str, Any] = pc.min_max(values).as_py()
    return found["min"] is not None and (found["min"] < low or found["max"] > high)


def _filter_problems(source: Source, chunk: pq.ColumnChunkMetaData, values: pa.Array) -> Iterator[Problem]:
    place = extent(_bytes(source, chunk.bloom_filter_offset, HEADER_BYTES))
    if place is None:
        yield Verdict.ALTERED, f"its Bloom filter of {chunk.path_in_schema} is none"
    elif lacks(_bytes(source, chunk.bloom_filter_offset + place[0], place[1]), values, chunk.physical_type):
        yield Verdict.ALTERED, f"its Bloom filter of {chunk.path_in_schema} lacks values of its rows{_SKIPPED}"


def _bytes(source: Source, begun: int, count: int) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            file.seek(begun)
            return file.read(count)
    source.seek(begun)
    return bytes(source.read(count))
