"""Columns under construction: Python lists that become Arrow arrays at once, without an object per attribute in between."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.anyvalue import as_text
from storage.schema import ATTRIBUTES, RECEIPT, TEXT, TIME
from storage.wal import Receipt

INT64_MAX: Final = 2**63 - 1
KEPT: Final = "KEPT"
"""The entity of receipts for what was found and stays, because the policy says so: nothing was taken out."""


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

    def add_texts(self, values: Mapping[str, str]) -> None:
        """Append a row whose values are texts already."""
        self._keys += values
        self._items += values.values()
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


def receipts_columns(rows: int, receipts: Mapping[int, Sequence[Receipt]]) -> dict[str, pa.Array]:
    """Return `redaction_receipts` and `redactions` (entity → number taken out) of row number → receipts; a row without has them empty."""
    receipt_ends, count_ends = array("i", (0,)), array("i", (0,))
    found: list[Receipt] = []
    counts: list[tuple[str, int]] = []
    for row in range(rows):
        of_row = receipts.get(row)
        if of_row:
            found += of_row
            sums: dict[str, int] = {}
            for entity, _, _, count in of_row:
                if entity != KEPT:
                    sums[entity] = sums.get(entity, 0) + count
            counts += sums.items()
        receipt_ends.append(len(found))
        count_ends.append(len(counts))
    values = list(zip(*found, strict=True)) if found else [()] * len(RECEIPT)
    structs = pa.StructArray.from_arrays(
        [pa.array(column, field.type) for column, field in zip(values, RECEIPT, strict=True)], fields=list(RECEIPT)
    )
    entities, numbers = zip(*counts, strict=True) if counts else ((), ())
    kind = pa.map_(TEXT, pa.int64())
    return {
        "redaction_receipts": pa.ListArray.from_arrays(pa.array(receipt_ends, pa.int32()), structs, pa.list_(RECEIPT)),
        "redactions": pa.MapArray.from_arrays(
            pa.array(count_ends, pa.int32()), pa.array(entities, TEXT), pa.array(numbers, pa.int64()), kind
        ),
    }


def times_column(times_ns: pa.Array) -> pa.Array:
    """Return unix ns as naive UTC microseconds (rounded down); NULL where the time is beyond 64 bits."""
    representable = pc.if_else(pc.less(times_ns, INT64_MAX), times_ns, pa.scalar(None, pa.int64()))
    return pc.divide(representable, 1000).cast(TIME)
