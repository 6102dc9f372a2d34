"""Copies of one request that reached the lake more than once, over several collectors or behind the window of one: the rows of all but
one are marked. Which one counts is the catalog's business (`storage.deliveries`)."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa


class Delivered(NamedTuple):
    """A batch of a segment that can be a copy, and its rows in the order in which they were decoded."""

    digest: str
    received_ns: int
    table: str
    first: int
    rows: int


def marked(tables: Mapping[str, pa.Table], copies: Iterable[Delivered]) -> dict[str, pa.Table]:
    """Return the tables with `resent` true for the rows of these batches."""
    flags: dict[str, list[bool]] = {}
    for copy in copies:
        of_table = flags.setdefault(copy.table, [False] * tables[copy.table].num_rows)
        of_table[copy.first : copy.first + copy.rows] = [True] * copy.rows
    return {name: _with(table, flags[name]) if name in flags else table for name, table in tables.items()}


def _with(table: pa.Table, flags: list[bool]) -> pa.Table:
    place = table.schema.get_field_index("resent")
    return table.set_column(place, table.schema.field(place), pa.array(flags, pa.bool_()))
