"""The canonical form of a row and its leaf hash, in DuckDB SQL: vectorised, for whole files.

docs/ledger.md, "Row commitment", is the specification; `form` and `leaf` (`storage.ledger.row_form`) are the same in the standard
library. The form is sparse: a column that is NULL is not in it, so columns that a later schema version adds change no earlier leaf.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import pyarrow as pa

from storage.ledger.errors import LedgerError
from storage.ledger.row_form import SALT, SALT_BYTES, SEED_BYTES, FormError, form, leaf

__all__ = ["FormError", "form", "form_sql", "leaf", "leaf_sql", "salted_sql", "type_names"]

_OWN_SALT: Final = (
    f"CASE octet_length({SALT}) WHEN {SALT_BYTES} THEN {SALT} "
    f"WHEN {SEED_BYTES} THEN unhex(left(sha256('\\x02'::BLOB || {SALT} || encode(entry_row::VARCHAR)), {2 * SALT_BYTES})) END"
)
_COLUMN: Final = re.compile(r"[A-Za-z0-9_]+")
_MISWRITTEN: Final = tuple(sign * 2.0**exponent for exponent in (81, 91, 807) for sign in (1, -1))
"""The powers of two that DuckDB 2.0 writes as other numbers (2^81 as 2^82, 2^807 with a letter among its digits); all others are right."""
_DOUBLE: Final = " ".join(  # DuckDB also writes the sign of a NaN
    [
        "CASE WHEN isnan({0}) THEN 'nan'",
        *(f"WHEN {{0}} = {value!r}::DOUBLE THEN '{value!r}'" for value in _MISWRITTEN),
        "ELSE {0}::VARCHAR END",
    ]
)
_SCALARS: Final = {
    "text": ("'t'", "strlen({0})", "':'", "{0}"),
    "int": ("'i'", "{0}", "';'"),
    "double": ("'d'", _DOUBLE, "';'"),
    "bool": ("CASE {0} WHEN true THEN 'b1;' WHEN false THEN 'b0;' END",),
    "time": ("'u'", "epoch_us({0})", "';'"),
    "binary": ("'x'", "octet_length({0})", "':'", "lower(hex({0}))"),
}


def type_names(schema: pa.Schema) -> dict[str, str]:
    """Return the name of every column's type, in the grammar of `storage.ledger.row_form`; widths and encodings do not matter.

    Raises `LedgerError` for a type or a column name that the canonical form does not know, and for names that SQL cannot tell apart.
    """
    _check_names(schema.names)
    return {field.name: type_name(field.name, field.type) for field in schema}


def type_name(column: str, kind: pa.DataType) -> str:
    """Return the name of one type; raises `LedgerError` about `column` when the canonical form does not know it."""
    types = pa.types
    if types.is_dictionary(kind):
        return type_name(column, kind.value_type)
    if types.is_map(kind):
        return f"map<{type_name(column, kind.key_type)},{type_name(column, kind.item_type)}>"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{type_name(column, kind.value_type)}>"
    if types.is_struct(kind):
        _check_names([field.name for field in kind])
        return f"struct<{','.join(f'{field.name}:{type_name(column, field.type)}' for field in kind)}>"
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
    raise LedgerError("hash rows", f"column {column}", hint=f"the canonical form has no type {kind}: the file is not of the lake")


def form_sql(schema: pa.Schema, columns: Collection[str] | None = None, *, filled: Collection[str] = ()) -> str:
    """Return SQL for the canonical form of a row of `schema` as text.

    `columns` are those that may not be NULL (default: all), `filled` those, not nested ones, that never are: a NULL in one of these
    makes a text that is no row's form. Raises `LedgerError` as `type_names` does.
    """
    type_names(schema)
    pieces: list[str] = []
    for field in sorted(schema, key=lambda field: field.name.encode()):
        if field.name == SALT or (columns is not None and field.name not in columns):
            continue
        column = f'"{field.name}"'
        named = [f"'{field.name}='", *_pieces(column, field.type, 0)]
        if field.name in filled and not pa.types.is_nested(field.type):
            pieces += named
        else:
            pieces.append(f"CASE WHEN {column} IS NOT NULL THEN {_concat(named)} END")
    return _concat(pieces) if pieces else "''"


def leaf_sql(schema: pa.Schema, columns: Collection[str] | None = None) -> str:
    """Return SQL for the leaf hash of a row, a BLOB of 32 bytes; NULL where it has no salt. As `form_sql` otherwise."""
    return f"unhex(sha256({salted_sql(form_sql(schema, columns))}))" if SALT in schema.names else "NULL::BLOB"


def salted_sql(form: str) -> str:
    """Return SQL for what a row's leaf is the hash of, 00 ‖ salt ‖ canonical form as a BLOB; NULL where it has no salt."""
    return f"'\\x00'::BLOB || ({_OWN_SALT}) || encode({form})"


def _check_names(names: Sequence[str]) -> None:
    if len({name.lower() for name in names}) != len(names) or not all(_COLUMN.fullmatch(name) for name in names):
        raise LedgerError("hash rows", "a column's name", hint="the canonical form knows no such name: the file is not of the lake")


def _pieces(value: str, kind: pa.DataType, depth: int) -> list[str]:
    """SQL for the parts of a value that is not NULL, in the form of its type."""
    each = f"_e{depth}"
    if pa.types.is_map(kind):
        entry = _concat([*_pieces(f"{each}.key", kind.key_type, depth + 1), _inner(f"{each}.value", kind.item_type, depth + 1)])
        return ["'m'", f"cardinality({value})", "';'", _joined(f"map_entries({value})", each, entry)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ["'l'", f"len({value})", "';'", _joined(value, each, _inner(each, kind.value_type, depth + 1))]
    if pa.types.is_struct(kind):
        return [f"'s{kind.num_fields};'", *(_inner(f'{value}."{field.name}"', field.type, depth) for field in kind)]
    return [piece.format(value) for piece in _SCALARS[type_name("", kind)]]


def _inner(value: str, kind: pa.DataType, depth: int) -> str:
    return f"CASE WHEN {value} IS NULL THEN 'n;' ELSE {_concat(_pieces(value, kind, depth))} END"


def _joined(elements: str, each: str, text: str) -> str:
    return f"array_to_string(list_transform({elements}, lambda {each}: {text}), '')"


def _concat(pieces: Iterable[str]) -> str:
    """One text of all pieces; literals that follow each other become one."""
    merged: list[str] = []
    for piece in pieces:
        if merged and piece[0] == merged[-1][0] == "'":
            merged[-1] = merged[-1][:-1] + piece[1:]
        else:
            merged.append(piece)
    return merged[0] if len(merged) == 1 else f"concat({', '.join(merged)})"
