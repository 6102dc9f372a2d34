"""The canonical form of a row and its leaf hash, in DuckDB SQL: vectorised, for sealing and verification.

docs/ledger.md, "Row commitment", is the specification; `form` and `leaf` (`storage.ledger.row_form`) are the same in the standard
library. The form is sparse: a column that is NULL is not in it, so columns that a later schema version adds change no earlier leaf.
"""

import re
from collections.abc import Collection
from typing import Final

import pyarrow as pa

from storage.errors import StorageError
from storage.ledger.row_form import SALT, SALT_BYTES, FormError, form, leaf

__all__ = ["FormError", "form", "form_sql", "leaf", "leaf_sql", "type_names"]

_COLUMN: Final = re.compile(r"[A-Za-z0-9_]+")
_SCALARS: Final = {
    "text": "'t' || strlen({0}) || ':' || {0}",
    "int": "'i' || {0} || ';'",
    "double": "'d' || {0} || ';'",
    "bool": "CASE WHEN {0} THEN 'b1;' WHEN NOT {0} THEN 'b0;' END",
    "time": "'u' || epoch_us({0}) || ';'",
    "binary": "'x' || octet_length({0}) || ':' || lower(hex({0}))",
}


def type_names(schema: pa.Schema) -> dict[str, str]:
    """Return the name of every column's type, in the grammar of `storage.ledger.row_form`; widths and encodings do not matter.

    Raises `StorageError` for a type or a column name that the canonical form does not know, and for names that SQL cannot tell apart.
    """
    folded: set[str] = set()
    for name in schema.names:
        if not _COLUMN.fullmatch(name) or name.lower() in folded:
            raise StorageError("hash rows", f"column {name!r}", hint="the canonical form knows no such column: the file is not of the lake")
        folded.add(name.lower())
    return {field.name: _type_name(field.name, field.type) for field in schema}


def form_sql(schema: pa.Schema, columns: Collection[str] | None = None) -> str:
    """Return SQL for the canonical form of a row of `schema` as text; `columns` are those that may not be NULL (default: all).

    Raises `StorageError` as `type_names` does.
    """
    type_names(schema)
    parts = [
        f"coalesce('{field.name}=' || ({_sql(_quoted(field.name), field.type, 0)}), '')"
        for field in sorted(schema, key=lambda field: field.name.encode())
        if field.name != SALT and (columns is None or field.name in columns)
    ]
    return f"concat({', '.join(parts)})" if parts else "''"


def leaf_sql(schema: pa.Schema, columns: Collection[str] | None = None) -> str:
    """Return SQL for the leaf hash of a row, a BLOB of 32 bytes; NULL where the salt is not 16 bytes. As `form_sql` otherwise."""
    if SALT not in schema.names:
        return "NULL::BLOB"
    hashed = f"unhex(sha256('\\x00'::BLOB || {SALT} || encode({form_sql(schema, columns)})))"
    return f"CASE WHEN octet_length({SALT}) = {SALT_BYTES} THEN {hashed} END"


def _type_name(column: str, kind: pa.DataType) -> str:
    types = pa.types
    if types.is_map(kind):
        return f"map<{_type_name(column, kind.key_type)},{_type_name(column, kind.item_type)}>"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{_type_name(column, kind.value_type)}>"
    if types.is_struct(kind):
        return f"struct<{','.join(f'{field.name}:{_type_name(column, field.type)}' for field in kind)}>"
    for name, fits in (
        ("text", types.is_string(kind) or types.is_large_string(kind)),
        ("int", types.is_integer(kind)),
        ("double", types.is_float64(kind)),
        ("bool", types.is_boolean(kind)),
        ("time", types.is_timestamp(kind) and kind.unit == "us" and kind.tz is None),
        ("binary", types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)),
    ):
        if fits:
            return name
    raise StorageError("hash rows", f"column {column}", hint=f"the canonical form has no type {kind}: the file is not of the lake")


def _sql(value: str, kind: pa.DataType, depth: int) -> str:
    """SQL for a value in the form of its type, NULL where the value is."""
    each = f"_e{depth}"
    if pa.types.is_map(kind):
        key = _sql(f"{each}.key", kind.key_type, depth + 1)
        inner = _inner(f"{each}.value", kind.item_type, depth + 1)
        return f"'m' || cardinality({value}) || ';' || {_joined(f'map_entries({value})', each, f'{key} || {inner}')}"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _inner(each, kind.value_type, depth + 1)
        return f"'l' || len({value}) || ';' || {_joined(value, each, inner)}"
    if pa.types.is_struct(kind):
        fields = " || ".join(_inner(f"{value}.{_quoted(field.name)}", field.type, depth) for field in kind)
        return f"CASE WHEN {value} IS NOT NULL THEN 's{kind.num_fields};' || {fields} END"
    return _SCALARS[_type_name("", kind)].format(value)


def _inner(value: str, kind: pa.DataType, depth: int) -> str:
    return f"coalesce({_sql(value, kind, depth)}, 'n;')"


def _joined(elements: str, each: str, text: str) -> str:
    return f"array_to_string(list_transform({elements}, lambda {each}: {text}), '')"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
