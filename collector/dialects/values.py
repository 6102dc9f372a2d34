"""Attribute values as the types of our columns. Frameworks send numbers as text, JSON inside strings and enums by their class name:
each function returns None for what it cannot read, because unknown is NULL and never a guess.
"""

import math
from typing import Any, Final

import orjson

INT64_MAX: Final = 2**63 - 1


def text(value: Any) -> str | None:
    """Return non-empty text; numbers as their digits."""
    if type(value) is str:
        return value or None
    if isinstance(value, bool | int | float):
        return str(value)
    return None


def integer(value: Any) -> int | None:
    """Return a count: an integer from 0 to 2^63 - 1, also when sent as text or as a float without fraction."""
    if type(value) is not int:
        value = _integer_of(value)
    if value is None or value < 0:
        return None
    return int(min(value, INT64_MAX))


def _integer_of(value: Any) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value) if len(value) < 30 else INT64_MAX
    return None


def number(value: Any) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and abs(value) < 1e308 and math.isfinite(value):
        return float(value)
    return None


def boolean(value: Any) -> bool | None:
    """Return a truth value."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def parsed(value: Any) -> Any:
    """Return the list or object that a value is, or that its JSON text holds; None when it is neither."""
    if isinstance(value, list | dict):
        return value
    if not isinstance(value, str) or value.lstrip()[:1] not in {"[", "{"}:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list, or in its JSON text."""
    found = parsed(value)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def first_text(value: Any) -> str | None:
    """Return the first text of an array, of its JSON text, or the text itself."""
    found = parsed(value)
    if isinstance(found, list):
        return next((item for item in found if isinstance(item, str) and item), None)
    return text(value)
