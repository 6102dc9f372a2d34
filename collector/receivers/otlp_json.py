"""OTLP's JSON into OTLP's messages (OTLP 1.11, "JSON Protobuf Encoding").

The generic protobuf JSON parser does not fit: in OTLP, ids are hexadecimal, enumerations are integers and unknown fields are ignored.
A plan a message type is derived from its descriptor, so a field of a newer protocol version needs no line here. Errors name the
field, never its value.
"""

import base64
import binascii
import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from collector.errors import Malformed
from collector.signals import Message

MAX_DEPTH: Final = 100
"""Nested messages; the protobuf parser has the same limit, so what is accepted here can be read back."""

_DIGITS: Final = re.compile("-?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,4})?")
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_HEX_FIELDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_INTEGERS: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED32, FieldDescriptor.TYPE_SFIXED64,
    }
)  # fmt: skip


class _Field(NamedTuple):
    name: str
    repeated: bool
    convert: Callable[[Any], Any] | None  # None for messages


def fill(message: Message, body: bytes) -> None:
    """Fill `message` from a JSON body; raises Malformed."""
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as error:  # its message names what was expected, never what was there
        raise Malformed(f"the body is not valid JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    _fill(message, values, 1)


def _fill(message: Message, values: Any, depth: int) -> None:
    if not isinstance(values, dict):
        raise Malformed(f"{message.DESCRIPTOR.name} must be a JSON object")
    if depth > MAX_DEPTH:
        raise Malformed(f"the body is nested deeper than {MAX_DEPTH} messages")
    plan = _plan(message.DESCRIPTOR)
    for key, value in values.items():
        field = plan.get(key)
        if field is None or value is None:
            continue
        if field.repeated and not isinstance(value, list):
            raise Malformed(f"{message.DESCRIPTOR.name}.{field.name} must be a JSON array")
        if field.convert is None:
            _fill_messages(getattr(message, field.name), field, value, depth)
        else:
            _set(message, field, value)


def _fill_messages(target: Message, field: _Field, value: Any, depth: int) -> None:
    if field.repeated:
        for item in value:
            _fill(target.add(), item, depth + 1)
    else:
        target.SetInParent()
        _fill(target, value, depth + 1)


def _set(message: Message, field: _Field, value: Any) -> None:
    assert field.convert is not None  # noqa: S101 - messages go elsewhere
    try:
        if field.repeated:
            getattr(message, field.name).extend([field.convert(item) for item in value])
        else:
            setattr(message, field.name, field.convert(value))
    except (TypeError, ValueError, OverflowError):
        raise Malformed(f"{message.DESCRIPTOR.name}.{field.name} has a value of the wrong type or range") from None


@cache
def _plan(descriptor: Descriptor) -> dict[str, _Field]:
    plan = {}
    for field in descriptor.fields:
        plan[field.name] = plan[field.json_name] = _Field(field.name, field.is_repeated, _converter(field))
    return plan


def _converter(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return None
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _hexadecimal if field.name in _HEX_FIELDS else _base64
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enumeration(field.enum_type)
    if field.type in _INTEGERS:
        return _integer
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text
    return _boolean if field.type == FieldDescriptor.TYPE_BOOL else _number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    if isinstance(value, str) and not _DIGITS.fullmatch(value):  # int() knows other digits, blanks and underscores, too
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    """JSON has no NaN and no infinity: protobuf writes the strings "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, bool) or (isinstance(value, str) and value not in _NO_NUMBERS and not _DECIMAL.fullmatch(value)):
        raise TypeError
    return float(value)


def _enumeration(enum: EnumDescriptor) -> Callable[[Any], int]:
    names = {name: value.number for name, value in enum.values_by_name.items()}
    return lambda value: names[value] if isinstance(value, str) and value in names else _integer(value)


def _hexadecimal(value: Any) -> bytes:
    try:
        return binascii.unhexlify(_text(value))
    except binascii.Error:
        raise ValueError from None


def _base64(value: Any) -> bytes:
    """Standard or URL-safe alphabet, padded or not, as protobuf's JSON mapping accepts it."""
    text = _text(value).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
