"""Columns under construction: Python lists that become Arrow arrays at once, without an object per attribute in between."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.anyvalue import as_text
from storage.schema import ATTRIBUTES, TEXT, TIME

INT64_MAX: Final = 2**63 - 1


class MapColumn:
    """A MAP<text, text> as offsets, keys and items."""

    def __init__(self) -> None:
        self._ends = array("i")
        self._keys: list[str] = []
        self._items: list[str] = []

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, values: Mapping[str, Any]) -> None:
        """Append a row."""
        self._keys += values
        self._items += [value if type(value) is str else as_text(value) for value in values.values()]
        self._ends.append(len(self._keys))

    def to_arrow(self) -> pa.Array:
        """Return the column; no row is NULL."""
        offsets = pa.array(array("i", (0, *self._ends)), pa.int32())
        return pa.MapArray.from_arrays(offsets, pa.array(self._keys, TEXT), pa.array(self._items, TEXT), ATTRIBUTES)


class ListColumn:
    """A list of structs as offsets and one list a field."""

    def __init__(self, kind: pa.ListType) -> None:
        self._kind = kind
        self._ends = array("i")
        self._rows: list[tuple[Any, ...]] = []
        self._attributes = MapColumn()
        self._place = [field.type for field in kind.value_type].index(ATTRIBUTES)

    def add(self, rows: Iterable[tuple[Sequence[Any], Mapping[str, Any]]]) -> None:
        """Append a row: of each element the fields beside the attributes, and the attributes."""
        for fields, attributes in rows:
            self._rows.append(tuple(fields))
            self._attributes.add(attributes)
        self._ends.append(len(self._rows))

    def fill(self, rows: int) -> None:
        """Append rows without elements until there are `rows`."""
        missing = rows - len(self._ends)
        if missing > 0:
            self._ends.extend([len(self._rows)] * missing)

    def to_arrow(self) -> pa.Array:
        """Return the column; no row is NULL."""
        struct = self._kind.value_type
        others = [field for field in struct if field.type != ATTRIBUTES]
        columns = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(others)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, others, strict=True)]
        arrays.insert(self._place, self._attributes.to_arrow())
        elements = pa.StructArray.from_arrays(arrays, fields=list(struct))
        return pa.ListArray.from_arrays(pa.array(array("i", (0, *self._ends)), pa.int32()), elements, self._kind)


def counts_column(rows: int, counts: Mapping[int, Mapping[str, int]]) -> pa.Array:
    """Return the `redactions` column: row number → entity → count; a row without any has an empty map."""
    ends = array("i", (0,))
    keys: list[str] = []
    items: list[int] = []
    for row in range(rows):
        found = counts.get(row)
        if found:
            keys += found
            items += found.values()
        ends.append(len(keys))
    kind = pa.map_(TEXT, pa.int64())
    return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), pa.array(keys, TEXT), pa.array(items, pa.int64()), kind)


def times_column(times_ns: pa.Array) -> pa.Array:
    """Return unix ns as naive UTC microseconds (rounded down); NULL where the time is beyond 64 bits."""
    representable = pc.if_else(pc.less(times_ns, INT64_MAX), times_ns, pa.scalar(None, pa.int64()))
    return pc.divide(representable, 1000).cast(TIME)


def salts_column(salts: bytes) -> pa.Array:
    """Return 16 bytes a row."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(salts) // 16, [None, pa.py_buffer(salts)])
