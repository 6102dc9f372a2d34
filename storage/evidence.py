"""Evidence as it was sent: the inverse of what `collector.anyvalue` writes into MAP and body columns.

A string is stored as it is and every other value as compact JSON, so the type of a text such as `42` is not stored. The rule here:
a text that is exactly how a boolean, an integer of 64 bits, a finite double, an array or a key-value list is written is that
value; every other text is a string. Whatever was sent, what is read here is written as the same text again. What is lost:

* a string that is such JSON to the letter (`"42"`, `"true"`, `"[1,2]"`) comes back as what it spells;
* bytes come back as the string of their base64, as a value of their own with its quotes;
* NaN, the infinities and a value that was not set come back as the strings `NaN`, `Infinity`, `-Infinity`, `null`.
"""

from typing import Any, Final

import orjson

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
MAX_DEPTH: Final = 30
"""Nested values; each is up to three messages, and the record around them up to eight."""
_FIRST: Final = frozenset("-0123456789tf[{")


def value_of(text: str) -> Any:
    """Return the value behind a stored text: bool, int, float, list, dict, or the text itself."""
    if text[:1] not in _FIRST:
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if not _sendable(value):
        return text
    try:
        return value if orjson.dumps(value) == text.encode() else text
    except (orjson.JSONEncodeError, UnicodeEncodeError):  # nested too deeply to be written
        return text


def _sendable(value: Any) -> bool:
    """Whether OTLP has a type for every part of a value, and parsers that allow 100 nested messages would take it."""
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, dict | list):
            if depth == MAX_DEPTH:
                return False
            waiting.extend((inner, depth + 1) for inner in (part.values() if isinstance(part, dict) else part))
        elif type(part) is int and not INT64_MIN <= part <= INT64_MAX:
            return False
    return True
