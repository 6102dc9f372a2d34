"""What a Parquet footer says beside the rows: bytes of the file that belong to none, and bounds of columns by which queries skip rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.ledger.verdicts import Verdict
from storage.schema import TIME_NS

LOOKED_UP: Final = ("trace_id", "run_id", "session_id", "tenant", "metric_name")
"""Columns of text by which queries choose rows; the table's time is another one."""
_MAGIC_BYTES: Final = 4
_TAIL_BYTES: Final = 8
Problem = tuple[Verdict, str]


def footer_problems(path: Path, table: str) -> Iterator[Problem]:
    """Yield what is wrong with the footer of a file of a table. Raises OSError and `ArrowException` when it cannot be read."""
    with pq.ParquetFile(path) as parquet:
        extra = _unexplained(path, parquet.metadata)
        lies = {name for group in range(parquet.num_row_groups) for name in _too_narrow(parquet, group, (*LOOKED_UP, TIME_NS[table]))}
    if extra:
        yield Verdict.EXTRA, f"{extra} bytes of it belong to no row: something was appended or inserted"
    for name in sorted(lies):
        yield Verdict.ALTERED, f"its footer bounds {name} more narrowly than its rows do: queries skip some of them"


def _unexplained(path: Path, metadata: pq.FileMetaData) -> int:
    """How many bytes belong to no page, filter or footer: text can be hidden there, out of sight of every reader."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(size - _TAIL_BYTES)
        footer = int.from_bytes(file.read(4), "little")
    parts = [(0, _MAGIC_BYTES), (size - _TAIL_BYTES - footer, size)]
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            if column.has_offset_index or column.has_column_index:
                return 0  # where they stand cannot be asked for
            begun = min(each for each in (column.dictionary_page_offset, column.data_page_offset) if each)
            parts.append((begun, begun + column.total_compressed_size))
            if column.bloom_filter_offset and column.bloom_filter_length:
                parts.append((column.bloom_filter_offset, column.bloom_filter_offset + column.bloom_filter_length))
    at = extra = 0
    for begun, ended in sorted(parts):
        extra += max(0, begun - at)
        at = max(at, ended)
    return extra


def _too_narrow(parquet: pq.ParquetFile, group: int, names: tuple[str, ...]) -> Iterator[str]:
    """The columns of a row group with values outside of what the footer says are the least and the greatest."""
    metadata = parquet.metadata.row_group(group)
    said = {metadata.column(number).path_in_schema: metadata.column(number).statistics for number in range(metadata.num_columns)}
    bounded = [name for name in names if said.get(name) is not None and said[name].has_min_max]
    values: pa.Table = parquet.read_row_group(group, columns=bounded, use_threads=False)
    for name in bounded:
        found: dict[str, Any] = pc.min_max(values[name]).as_py()
        if found["min"] is not None and (found["min"] < said[name].min or found["max"] > said[name].max):
            yield name
