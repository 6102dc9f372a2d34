"""The values of plain JSON events: what JSON leaves open is decided here, and becomes OTLP's AnyValue.

A name that comes twice, NaN, numbers that fit nowhere and text that is no text are errors of the one event that holds them, so they
must survive parsing: they are marked, and told when the value is used. Errors name fields and limits, never what was sent.
"""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

MAX_DEPTH: Final = 32
"""Objects and arrays in each other, of which an attribute or a body may consist."""
_MOST_DIGITS: Final = 20
_LARGEST_INT: Final = (1 << 63) - 1
_NS: Final = 10**9
_UNIX_UNITS: Final = ((10**11, _NS), (10**14, 10**6), (10**17, 10**3))
"""A unix time below the first is in seconds, below the second in milliseconds, below the third in microseconds, else in nanoseconds."""
_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


class BadEvent(Exception):
    """An event cannot be stored; the message may be shown to the sender."""


class Doubled(dict[str, Any]):
    """An object in which a name came twice: which of the values was meant, nobody knows."""


class _NoNumber:
    """A number that fits neither a 64-bit integer nor a double."""


NO_NUMBER: Final = _NoNumber()


def parse(text: str) -> Any:
    """Return a JSON value; raises BadEvent for what is no JSON, naming line and column when it has several lines."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=lambda _: NO_NUMBER, parse_int=_integer, parse_float=_double)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        hint = "; send several events as a JSON array, or one a line as application/x-ndjson" if error.msg == "Extra data" else ""
        raise BadEvent(f"no valid JSON at {where}: {error.msg.lower()}{hint}") from None
    except RecursionError:
        raise BadEvent(f"nested deeper than {MAX_DEPTH} levels") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Doubled(found)


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= _MOST_DIGITS else NO_NUMBER


def _double(text: str) -> Any:
    value = float(text)
    return value if math.isfinite(value) else NO_NUMBER


def fill(target: Any, value: Any, field: str, depth: int = 0) -> None:
    """Set an AnyValue; raises BadEvent with the name of the `field`. JSON's null is an AnyValue without a value."""
    if depth > MAX_DEPTH:
        raise BadEvent(f"{field} is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None:
            pass
        case bool():
            target.bool_value = value
        case str():
            target.string_value = text_of(value, field)
        case int():
            if not -_LARGEST_INT - 1 <= value <= _LARGEST_INT:
                raise BadEvent(f"{field} holds a number that is no 64-bit integer")
            target.int_value = value
        case float():
            target.double_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                fill(target.array_value.values.add(), item, field, depth + 1)
        case dict():
            _fill_object(target, value, field, depth)
        case _:
            raise BadEvent(f"{field} holds a number that is not finite or has more than {_MOST_DIGITS} digits")


def _fill_object(target: Any, value: dict[str, Any], field: str, depth: int) -> None:
    if isinstance(value, Doubled):
        raise BadEvent(f"{field} holds an object in which a name comes twice")
    target.kvlist_value.SetInParent()
    for key, item in value.items():
        pair = target.kvlist_value.values.add(key=text_of(key, field))
        fill(pair.value, item, field, depth + 1)


def text_of(value: str, field: str) -> str:
    """Return `value`; raises BadEvent for half of a surrogate pair, which JSON can spell and no text can hold."""
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise BadEvent(f"{field} holds half of a surrogate pair")
    return value


def time_ns(value: Any) -> int:
    """Return a time as nanoseconds since 1970: RFC 3339 text, or a unix time whose size tells its unit; raises BadEvent.

    A number with a fraction is good to the microsecond. A leap second is the first of the next minute.
    """
    if isinstance(value, str):
        return _in_range(_rfc3339_ns(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise BadEvent("time must be RFC 3339 text with a time zone, or a unix time")
    nanoseconds = next((unit for limit, unit in _UNIX_UNITS if value < limit), 1)
    return _in_range(value * nanoseconds if isinstance(value, int) else round(value * nanoseconds / 1000) * 1000)


def _in_range(nanoseconds: int) -> int:
    if not 0 < nanoseconds <= _LARGEST_INT:
        raise BadEvent("time must be after 1970 and before 2262")
    return nanoseconds


def _rfc3339_ns(text: str) -> int:
    matched = _RFC3339.fullmatch(text)
    if matched is None:
        raise BadEvent("time must be RFC 3339 text with a time zone, or a unix time")
    year, month, day, hour, minute, second = (int(part) for part in matched.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = matched.groups()[6:]
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    leap = second == 60
    try:
        if offset >= timedelta(days=1):
            raise ValueError
        local = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC) + timedelta(seconds=leap)
        instant = local - (-offset if sign == "-" else offset)
    except (ValueError, OverflowError):
        raise BadEvent("time is no date and time that exists") from None
    return int((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * _NS + int((fraction or "").ljust(9, "0"))
