"""A second implementation of the canonical form of rows, in the standard library: docs/ledger.md, "Row commitment", and nothing else.

It shares no code with `storage.ledger` and must not: floats are written by exact rational arithmetic.
"""

import datetime
import hashlib
from fractions import Fraction
from typing import Any

Kind = str | tuple[Any, ...]
"""`scalar`, `("map", key, value)`, `("list", element)` or `("struct", (("name", kind), …))`."""


class NoForm(Exception):
    """A value that no row has."""


def row_leaf(row: dict[str, Any], kinds: dict[str, Kind]) -> bytes:
    salt = row["salt"]
    if len(salt) == 32:
        salt = hashlib.sha256(b"\x02" + salt + str(row["entry_row"]).encode()).digest()[:16]
    if len(salt) != 16:
        raise NoForm("a salt of another length")
    return hashlib.sha256(b"\x00" + salt + canonical(row, kinds)).digest()


def canonical(row: dict[str, Any], kinds: dict[str, Kind]) -> bytes:
    """The canonical form of a row; maps are lists of pairs, structs dictionaries, times naive datetimes."""
    present = [name for name in row if name != "salt" and row[name] is not None]
    return b"".join(name.encode() + b"=" + written(row[name], kinds[name]) for name in sorted(present, key=str.encode))


def written(value: Any, kind: Kind) -> bytes:
    if value is None:
        return b"n;"
    match kind:
        case ("map", key, item):
            return b"m%d;" % len(value) + b"".join(written(k, key) + written(v, item) for k, v in value)
        case ("list", element):
            return b"l%d;" % len(value) + b"".join(written(each, element) for each in value)
        case ("struct", fields):
            return b"s%d;" % len(fields) + b"".join(written(value[name], field) for name, field in fields)
    match value:
        case bool():
            return b"b1;" if value else b"b0;"
        case int():
            return b"i" + str(value).encode() + b";"
        case float():
            return b"d" + shortest(value).encode() + b";"
        case str():
            return b"t%d:" % len(value.encode()) + value.encode()
        case bytes():
            return b"x%d:" % len(value) + value.hex().encode()
        case datetime.datetime():
            passed = value - datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are naive UTC
            return b"u%d;" % ((passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds)
    raise NoForm(f"no canonical form of {type(value)}")


def shortest(value: float) -> str:
    """The shortest decimal that reads back as the same double, of those the nearest, of two the even one; see docs/ledger.md."""
    if value != value:
        return "nan"
    sign = "-" if str(value).startswith("-") else ""
    if value in {float("inf"), float("-inf")}:
        return sign + "inf"
    if value == 0:
        return sign + "0.0"
    exact = abs(Fraction(value))
    exponent = len(str(exact.numerator)) - len(str(exact.denominator))
    exponent -= exact < Fraction(10) ** exponent
    exponent += exact >= Fraction(10) ** (exponent + 1)
    for length in range(1, 18):
        unit = Fraction(10) ** (exponent - length + 1)
        below = exact // unit
        candidates = [n for n in (below, below + 1) if float(f"{n}e{exponent - length + 1}") == abs(value)]
        if candidates:
            digits = str(min(candidates, key=lambda n: (abs(n * unit - exact), n % 2)))
            exponent += len(digits) - length  # 9.99… may have become 10.0…
            return sign + laid_out(digits.rstrip("0"), exponent)
    raise AssertionError("seventeen digits always read back")


def laid_out(digits: str, exponent: int) -> str:
    if not -4 <= exponent < 16:
        point = f".{digits[1:]}" if digits[1:] else ""
        return f"{digits[0]}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    digits = digits.ljust(exponent + 1, "0")
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :] or '0'}"
