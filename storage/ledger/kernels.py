"""The canonical form of rows, by Arrow's kernels: for the few rows of a seal, where a query would cost more to plan than to run.

docs/ledger.md, "Row commitment", is the specification. A value is put together from pieces, arrays of bytes as long as the batch or
constants, which are joined row by row; a piece is NULL where the value is. Lists are not joined but cut: the forms of all elements stand
one after the other, and the offsets of the list say where its own begin and end.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from storage.ledger.canonical import type_name, type_names
from storage.ledger.row_form import SALT
from storage.ledger.salts import own_salts

_Piece: TypeAlias = Any  # bytes, or an array of them
_BYTES: Final = pa.large_binary()
_ALIKE_FROM: Final = 1e-4
_ALIKE_TO: Final = 1e10
_POINT_ZERO: Final = (pa.scalar(".0", pa.large_string()), pa.scalar("", pa.large_string()))
_NULL: Final = pa.scalar(None, _BYTES)


def salted_forms(rows: pa.RecordBatch) -> pa.Array:
    """Return what the leaf hash of each row is of, 00 ‖ salt ‖ canonical form, as large_binary; NULL where there is no salt.

    Columns, and those within others, may be dictionaries. Raises `LedgerError` as `storage.ledger.canonical.type_names` does.
    """
    salt = own_salts(rows.column(SALT), rows.column("entry_row"))
    pieces: list[_Piece] = [b"\x00", salt]
    for name in sorted(type_names(rows.schema), key=str.encode):
        column = rows.column(name)
        if name == SALT or column.null_count == len(column):
            continue
        if (value := _only(column)) is not None:
            pieces.append(_named(name, value)[0].as_py())
        elif pa.types.is_dictionary(column.type):
            pieces.append(_named(name, column.dictionary).take(column.indices))
        elif column.null_count:
            pieces.append(_named(name, column))
        else:
            pieces += [f"{name}=".encode(), *_pieces(column)]
    texts = _joined(pieces, skip_null=True)
    return pc.if_else(salt.is_valid(), texts, _NULL) if salt.null_count else texts


def _only(column: pa.Array) -> pa.Array | None:
    """The value that all rows have, where that is cheap to tell: most columns of a seal have one, which is put together once."""
    if column.null_count:
        return None
    if pa.types.is_dictionary(column.type):
        return column.dictionary if len(column.dictionary) == 1 and not column.dictionary.null_count else None
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind)):
        return None
    least, most = pc.min_max(column).values()
    return column.slice(0, 1) if least == most else None


def _named(name: str, column: pa.Array) -> pa.Array:
    return _joined([f"{name}=".encode(), *_pieces(column)])


def _pieces(column: pa.Array) -> list[_Piece]:
    """The pieces of each value of a column, in the form of its type."""
    kind = column.type
    if not len(column):
        return [pa.array([], _BYTES)]
    if pa.types.is_dictionary(kind):
        return [_joined(_pieces(column.dictionary)).take(column.indices)]
    if pa.types.is_struct(kind):
        mark = pc.if_else(column.is_valid(), pa.scalar(b"s%d;" % kind.num_fields, _BYTES), _NULL)
        return [mark, *(_inner(column.field(number)) for number in range(kind.num_fields))]
    if not pa.types.is_nested(kind):
        return list(_scalars(column))
    begun, ended = column.offsets[0].as_py(), column.offsets[-1].as_py()
    elements = [each.slice(begun, ended - begun) for each in ((column.keys, column.items) if pa.types.is_map(kind) else (column.values,))]
    forms = _joined([_inner(each) for each in elements])
    return [b"m" if pa.types.is_map(kind) else b"l", _text(_lengths(column)), b";", _cut(forms, column.offsets, begun)]


def _scalars(column: pa.Array) -> Iterator[_Piece]:
    match type_name("", column.type):
        case "text":
            yield from (b"t", _text(pc.binary_length(column)), b":", column.cast(_BYTES))
        case "binary":
            digits = pa.array([None if value is None else value.hex().encode() for value in column.to_pylist()], _BYTES)
            yield from (b"x", _text(pc.binary_length(column)), b":", digits)
        case "double":
            yield from (b"d", _decimals(column).cast(_BYTES), b";")
        case "bool":
            yield pc.if_else(column, pa.scalar(b"b1;", _BYTES), pa.scalar(b"b0;", _BYTES))
        case "time":
            yield from (b"u", _text(column.cast(pa.int64())), b";")
        case _:
            yield from (b"i", _text(column), b";")


def _decimals(column: pa.Array) -> pa.Array:
    """Doubles as Python's repr writes them, which Arrow does between these bounds, but for the .0 of whole numbers."""
    size = pc.abs(column)
    alike = pc.or_(pc.and_(pc.greater_equal(size, _ALIKE_FROM), pc.less(size, _ALIKE_TO)), pc.equal(size, 0.0))
    texts = column.cast(pa.large_string())
    texts = pc.if_else(pc.equal(column, pc.floor(column)), pc.binary_join_element_wise(texts, *_POINT_ZERO), texts)
    others = column.filter(pc.invert(alike)).to_pylist()
    return pc.replace_with_mask(texts, pc.invert(alike), pa.array(map(repr, others), pa.large_string())) if others else texts


def _lengths(column: pa.Array) -> pa.Array:
    """The number of elements of each list or map."""
    lengths = pc.subtract(column.offsets.slice(1), column.offsets.slice(0, len(column)))
    return pc.if_else(column.is_valid(), lengths, pa.scalar(None, lengths.type)) if column.null_count else lengths


def _cut(forms: pa.Array, offsets: pa.Array, begun: int) -> pa.Array:
    """The forms of each list's elements, one after the other; the first form is that of the element `begun`."""
    places = pa.Array.from_buffers(pa.int64(), len(forms) + 1, [None, forms.buffers()[1]], offset=forms.offset)
    bounds = places.take(pc.subtract(offsets, begun))
    return pa.Array.from_buffers(_BYTES, len(offsets) - 1, [None, bounds.buffers()[1], forms.buffers()[2]])


def _inner(column: pa.Array) -> pa.Array:
    """The form of each value inside a map, list or struct."""
    forms = _joined(_pieces(column))
    return pc.fill_null(forms, pa.scalar(b"n;", _BYTES)) if forms.null_count else forms


def _text(numbers: pa.Array) -> pa.Array:
    return numbers.cast(pa.large_string()).cast(_BYTES)


def _joined(pieces: list[_Piece], *, skip_null: bool = False) -> pa.Array:
    """The pieces of each row as one; NULL where one of them is, or without it. Constants that follow each other become one."""
    merged: list[_Piece] = []
    for piece in pieces:
        if merged and isinstance(piece, bytes) and isinstance(merged[-1], bytes):
            merged[-1] = merged[-1] + piece
        else:
            merged.append(piece)
    if len(merged) == 1 and isinstance(merged[0], pa.Array):
        return merged[0]
    arguments = [pa.scalar(piece, _BYTES) if isinstance(piece, bytes) else piece for piece in merged]
    return pc.binary_join_element_wise(*arguments, pa.scalar(b"", _BYTES), null_handling="skip" if skip_null else "emit_null")
