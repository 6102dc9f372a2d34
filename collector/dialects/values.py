"""Attribute values as the types of our columns. Frameworks send numbers as text, JSON inside strings and enums by their class name:
each function returns None for what it cannot read, because unknown is NULL and never a guess.

Dialects read values in the form in which they are stored (`collector.anyvalue.as_text`), so that a row can be read again. Each function
gives the same for a value and for its stored text; a dialect asks these functions, never for the type of a value.
"""

import math
from typing import Any, Final

import orjson

from collector.anyvalue import as_text

INT64_MAX: Final = 2**63 - 1
_NOT_SET: Final = "null"


def text(value: Any) -> str | None:
    """Return non-empty text; what was sent as something else in its stored form; None for what was not set."""
    if type(value) is not str:
        value = as_text(value)
    return None if value in {"", _NOT_SET} else value


def integer(value: Any) -> int | None:
    """Return a count: an integer from 0 to 2^63 - 1, also when sent as text or as a float without fraction."""
    if type(value) is not int:
        value = _integer_of(value if type(value) is str else as_text(value))
    if value is None or value < 0:
        return None
    return int(min(value, INT64_MAX))


def _integer_of(digits: str) -> int | None:
    digits = digits.strip()
    if digits.isdecimal():
        return int(digits) if len(digits) < 30 else INT64_MAX
    whole = number(digits)
    return int(whole) if whole is not None and whole.is_integer() else None


def number(value: Any) -> float | None:
    """Return a finite number, also when sent as text."""
    if type(value) is not float:
        try:
            value = float(value if type(value) is str else as_text(value))
        except ValueError:
            return None
    return value if abs(value) < 1e308 and math.isfinite(value) else None


def boolean(value: Any) -> bool | None:
    """Return a truth value, also when sent as text."""
    if type(value) is bool:
        return value
    return {"true": True, "false": False}.get((value if type(value) is str else as_text(value)).lower())


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
