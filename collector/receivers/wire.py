"""What is wrong with a protobuf body, in words: the parser itself only says that something is (Protocol Buffers, "Encoding").

Walked in the order of the bytes, as far as a budget reaches, and only for bodies that are refused or hold what nobody knows. Names of
fields and sizes are told, never what was sent.
"""

from functools import cache
from typing import Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

MOST_FIELDS: Final = 20_000
"""Fields that are looked at: about 20 ms."""
_DEEPEST: Final = 100
_VARINT, _FIXED64, _BYTES, _GROUP, _END_GROUP, _FIXED32 = range(6)
_TYPE_OF: Final = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _BYTES,
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_MESSAGE: _BYTES,
}


class _Known(NamedTuple):
    name: str
    wire_types: frozenset[int]
    message: Descriptor | None
    is_text: bool


class _Problem(Exception):
    """The first thing that is wrong."""


def problem(descriptor: Descriptor, body: bytes) -> str:
    """Return the first problem of a serialised message, empty when none is found within the budget."""
    try:
        _Walk(body).message(descriptor, 0, len(body), 1)
    except _Problem as found:
        return str(found)
    return ""


@cache
def _fields(descriptor: Descriptor) -> dict[int, _Known]:
    return {field.number: _known(descriptor, field) for field in descriptor.fields}


def _known(descriptor: Descriptor, field: FieldDescriptor) -> _Known:
    wire_type = _TYPE_OF.get(field.type, _VARINT)
    packed = field.is_repeated and wire_type != _BYTES
    return _Known(
        f"{descriptor.name}.{field.name}",
        frozenset({wire_type, _BYTES} if packed else {wire_type}),
        field.message_type,
        field.type == FieldDescriptor.TYPE_STRING,
    )


class _Walk:
    """One walk over a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._left = MOST_FIELDS

    def message(self, descriptor: Descriptor, at: int, end: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Problem(f"it is nested deeper than {_DEEPEST} messages")
        fields = _fields(descriptor)
        while at < end:
            tag, at = self._varint(at, end, descriptor.name)
            number, wire_type = tag >> 3, tag & 7
            known = fields.get(number)
            name = f"{descriptor.name}.{number}" if known is None else known.name
            self._check(number, wire_type, name, known)
            start, at = self._value(wire_type, at, end, name)
            if known is not None and known.message is not None:
                self.message(known.message, start, at, depth + 1)
            elif known is not None and known.is_text:
                self._text(start, at, name)

    def _check(self, number: int, wire_type: int, name: str, known: _Known | None) -> None:
        self._left -= 1
        if not self._left:
            raise _Problem
        if not number or wire_type > _FIXED32 or wire_type == _END_GROUP:
            raise _Problem(f"{name} has no valid tag")
        if known is not None and wire_type not in known.wire_types:
            raise _Problem(f"{name} has the wrong wire type")

    def _value(self, wire_type: int, at: int, end: int, name: str) -> tuple[int, int]:
        """Return where a value begins and ends."""
        if wire_type == _VARINT:
            return at, self._varint(at, end, name)[1]
        if wire_type == _GROUP:
            raise _Problem  # of an unknown field: what is in it cannot be told apart from what follows without reading it all
        size = 8 if wire_type == _FIXED64 else 4
        if wire_type == _BYTES:
            size, at = self._varint(at, end, name)
        if size > end - at:
            raise _Problem(f"{name} announces {size} bytes, {end - at} are left")
        return at, at + size

    def _varint(self, at: int, end: int, name: str) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self._body[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at
        raise _Problem(f"{name} ends within a number" if at >= end else f"{name} holds a number that is too long")

    def _text(self, start: int, end: int, name: str) -> None:
        try:
            self._body[start:end].decode()
        except UnicodeDecodeError:
            raise _Problem(f"{name} is not valid UTF-8") from None
