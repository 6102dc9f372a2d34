"""OTLP's AnyValue (opentelemetry-proto, common.proto) as Python values, and those as the text of our MAP columns.

Strings stay as they are, everything else is JSON: integers and doubles as numbers, bytes as a base64 string, arrays and key-value
lists as arrays and objects, a value that was not set as null. NaN and infinities, which JSON lacks, are the strings that
protobuf's own JSON mapping uses. Of a key that was sent twice the last value counts.
"""

import base64
import math
from collections.abc import Iterable
from typing import Any

import orjson

from collector.signals import Message

Values = dict[str, Any]


def read_attributes(pairs: Iterable[Message]) -> Values:
    """Return KeyValues as a dict."""
    values: Values = {}
    for pair in pairs:
        value = pair.value
        values[pair.key] = value.string_value or read_value(value)
    return values


def read_value(value: Message) -> Any:
    """Return one AnyValue: str, bool, int, float, bytes, list, dict, or None when nothing was set."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [read_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: read_value(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind)


def as_text(value: Any) -> str:
    """Return a value as the text that is stored."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int:
        return str(value)
    if kind is float and not math.isfinite(value):
        return _special(value)
    return orjson.dumps(_plain(value)).decode()


def read_texts(pairs: Iterable[Message]) -> dict[str, str]:
    """Return KeyValues as they are stored: `as_texts(read_attributes(pairs))`, at once."""
    texts: dict[str, str] = {}
    for pair in pairs:
        value = pair.value
        texts[pair.key] = value.string_value or as_text(read_value(value))
    return texts


def as_texts(values: Values) -> dict[str, str]:
    """Return attributes as they are stored. Dialects read these, so that a row can be read again with the same result."""
    return {name: value if type(value) is str else as_text(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return _special(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
