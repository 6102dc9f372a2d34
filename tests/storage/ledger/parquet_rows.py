"""Stored rows as any Parquet reader gives them, for the second implementation: nothing of ours is used to read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.second_form import Kind


def kind_of(arrow: pa.DataType) -> Kind:
    """What the second implementation has to know of a column, from the schema that the Parquet file itself carries."""
    if pa.types.is_map(arrow):
        return ("map", kind_of(arrow.key_type), kind_of(arrow.item_type))
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return ("list", kind_of(arrow.value_type))
    if pa.types.is_struct(arrow):
        return ("struct", tuple((field.name, kind_of(field.type)) for field in arrow))
    return "scalar"


def stored(data: Path, table: str) -> Iterator[tuple[dict[str, Any], dict[str, Kind]]]:
    """The rows of a table as any Parquet reader gives them."""
    for path in sorted((data / "data" / table).glob("date=*/*.parquet")):
        found = pq.read_table(path, partitioning=None)
        kinds = {field.name: kind_of(field.type) for field in found.schema}
        for row in found.to_pylist():
            yield row, kinds
