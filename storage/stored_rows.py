"""Rows as stored, of one run or a few traces, as Python objects: column by column, and only what is asked for.

PyArrow's own conversion of maps takes ten times as long, and its kernels and NumPy's arrays would be imported for one short run.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import compress, pairwise
from typing import Any, Final

import pyarrow as pa

from storage.schema import TABLES

BESIDE: Final = ("date", "derived_from")
"""Columns of rows that are in no schema."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_DAY_ZERO: Final = date(1970, 1, 1).toordinal()

Values = Sequence[Any]


class Rows:
    """Rows, column by column: one becomes Python objects when it is first asked for. Times are naive UTC, maps dictionaries."""

    def __init__(self, table: pa.Table, kept: Sequence[bool] | None = None) -> None:
        """`kept` says of each row of the table whether it is one of these; None: all are."""
        self._table = table
        self._kept = kept
        self._made: dict[str, Values] = {}
        self._count = table.num_rows if kept is None else sum(kept)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Values:
        """The values of a column."""
        values = self._made.get(name)
        if values is None:
            values = self._made[name] = self._values(self._table[name])
        return values

    @property
    def table(self) -> pa.Table:
        """The rows as they came."""
        return self._table if self._kept is None else self._table.filter(pa.array(self._kept, pa.bool_()))

    def known(self) -> list[str]:
        """Return the columns in which there are values."""
        return [name for name, column in zip(self._table.column_names, self._table.columns, strict=True) if column.null_count < len(column)]

    def only(self, kept: Sequence[bool]) -> "Rows":
        """Return the rows whose place in `kept` is true."""
        if all(kept):
            return self
        places = iter(kept)
        return Rows(self._table, kept if self._kept is None else [is_one and next(places) for is_one in self._kept])

    def _values(self, column: pa.ChunkedArray) -> Values:
        if column.null_count == len(column):
            return [None] * self._count
        values = [value for chunk in column.chunks for value in _objects(chunk)]
        return values if self._kept is None else list(compress(values, self._kept))


def every_column(table: str) -> str:
    """Return the columns of a table's rows as SQL lists them, without the salt."""
    return ", ".join(f'"{name}"' for name in (*TABLES[table].names, *BESIDE) if name != "salt")


def _objects(values: pa.Array) -> Values:
    """The values as DuckDB gives them."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        return [None if us is None else _EPOCH + timedelta(0, 0, us) for us in values.view(pa.int64()).to_pylist()]
    if pa.types.is_date32(kind):
        return [None if day is None else date.fromordinal(_DAY_ZERO + day) for day in values.view(pa.int32()).to_pylist()]
    if pa.types.is_map(kind):
        return _pieces(values, (values.keys, values.items), _mapping)
    if pa.types.is_list(kind) and pa.types.is_nested(kind.value_type):
        return _pieces(values, (values.values,), list)
    if pa.types.is_struct(kind):
        fields = [_objects(field) for field in values.flatten()]
        return _present(values, [dict(zip(kind.names, each, strict=True)) for each in zip(*fields, strict=True)])
    return values.to_pylist()  # type: ignore[no-any-return]


def _pieces(values: pa.Array, parts: Sequence[pa.Array], make: Callable[..., Any]) -> Values:
    """Make each value of its piece of the parts: the offsets say where it begins and ends."""
    wholes = [_objects(part) for part in parts]
    return _present(values, [make(*(whole[begin:end] for whole in wholes)) for begin, end in pairwise(values.offsets.to_pylist())])


def _mapping(keys: Values, items: Values) -> dict[str, Any]:
    return dict(zip(keys, items, strict=True))


def _present(values: pa.Array, made: list[Any]) -> Values:
    """What was made of values, None in the place of those that are NULL: whose bit is not set."""
    bits = values.buffers()[0]
    if bits is None or not values.null_count:
        return made
    seen = memoryview(bits)
    return [value if seen[place >> 3] >> (place & 7) & 1 else None for place, value in enumerate(made, values.offset)]
