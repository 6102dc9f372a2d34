"""Stored rows as JSON from which their canonical form can be made again (docs/bundle.md, "Rows").

A column that is NULL is left out. Times are `2026-11-21T12:00:00.000000Z`, binary is hexadecimal, maps and structures are objects, and
the doubles that JSON does not have are the texts `nan`, `inf` and `-inf`. 64-bit integers are JSON numbers, which some readers round.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa

Convert = Callable[[Any], Any]


def rows_json(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as dictionaries of JSON's own types, columns in the order of the table."""
    columns = []
    for field in rows.schema:
        convert = _converter(field.type)
        values = rows[field.name].to_pylist()
        columns.append((field.name, values if convert is None else [None if value is None else convert(value) for value in values]))
    for number in range(rows.num_rows):
        yield {name: values[number] for name, values in columns if values[number] is not None}


def rows_jsonl(rows: pa.Table) -> bytes:
    """Return rows as JSON, one a line."""
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows_json(rows))


def _converter(kind: pa.DataType) -> Convert | None:
    """How values of a type become JSON; None where they are JSON already."""
    types = pa.types
    if types.is_timestamp(kind):
        return lambda value: value.isoformat(timespec="microseconds") + "Z"
    if types.is_floating(kind):
        return lambda value: value if math.isfinite(value) else repr(value)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return lambda value: value.hex()
    return _nested(kind)


def _nested(kind: pa.DataType) -> Convert | None:
    if pa.types.is_map(kind):
        return _of_map(_converter(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _of_list(_converter(kind.value_type))
    if pa.types.is_struct(kind):
        return _of_struct({field.name: _converter(field.type) for field in kind})
    return None


def _of_map(inner: Convert | None) -> Convert:
    if inner is None:
        return dict
    return lambda pairs: {key: None if value is None else inner(value) for key, value in pairs}


def _of_list(inner: Convert | None) -> Convert | None:
    if inner is None:
        return None
    return lambda values: [None if value is None else inner(value) for value in values]


def _of_struct(inner: dict[str, Convert | None]) -> Convert:
    def convert(value: dict[str, Any]) -> dict[str, Any]:
        return {name: each if each is None or (how := inner[name]) is None else how(each) for name, each in value.items()}

    return convert
