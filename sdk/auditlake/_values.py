"""Python values → OpenTelemetry attribute values, losing nothing: what no attribute type holds becomes JSON text."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum

Value = str | bool | int | float | list[str]

_INT64 = 2**63


def attributes(values: Mapping[str, object]) -> dict[str, Value]:
    """Return `values` as attributes; what is unknown (None or "") is absent, never written as an empty text."""
    return {name: value(item) for name, item in values.items() if item is not None and item != ""}


def value(item: object) -> Value:  # noqa: PLR0911
    """Return `item` as an attribute value: scalars and lists of text as they are, times as RFC 3339, everything else as JSON."""
    match item:
        case Enum():
            return value(item.value)
        case str():
            return text(item)
        case bool() | float():
            return item
        case int():
            return item if -_INT64 <= item < _INT64 else str(item)
        case datetime():
            return rfc3339(item)
        case list() | tuple() if all(isinstance(part, str) for part in item):
            return [text(part) for part in item]
        case set() | frozenset() if all(isinstance(part, str) for part in item):
            return sorted(text(part) for part in item)
        case _:
            return as_json(item)


def number(item: object) -> float | None:
    """Return `item` as a finite number; None for what is none, as unknown is absent."""
    try:
        found = float(item)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def as_json(item: object) -> str:
    """Return `item` as JSON text; a text is returned as it is, and what JSON cannot hold as its `str()`."""
    if isinstance(item, str):
        return text(item)
    return text(json.dumps(item, ensure_ascii=False, default=_plain, skipkeys=False))


def text(item: str) -> str:
    """Return `item` as valid UTF-8 text: lone surrogates, which OTLP cannot carry, become visible escapes."""
    return item if item.isascii() else item.encode("utf-8", "backslashreplace").decode("utf-8")


def rfc3339(moment: datetime) -> str:
    """Return `moment` as RFC 3339 in UTC; a naive time is taken as local time."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(item: object) -> object:
    match item:
        case Mapping():
            return {str(key): part for key, part in item.items()}
        case set() | frozenset():
            return sorted(map(str, item))
        case datetime():
            return rfc3339(item)
        case Enum():
            return item.value
        case _:
            return str(item)
