"""The canonical form of a row and its leaf hash, in the standard library alone.

This file imports nothing of ours, so that an evidence bundle can carry it as it is. docs/ledger.md, "Row commitment", is the
specification; `storage.ledger.canonical` computes the same in DuckDB.

Type names, by which values are written:
    type   = "text" | "int" | "double" | "bool" | "time" | "binary" | "map<" type "," type ">" | "list<" type ">" | "struct<" fields ">"
    fields = name ":" type { "," name ":" type }
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

SALT = "salt"
SALT_BYTES = 16
SEED_BYTES = 32
SEED_MARK = b"\x02"
_TOKEN = re.compile(r"[a-z0-9_]+|[<>,:]")
_COLUMN = re.compile(r"[A-Za-z0-9_]+")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - stored times are naive UTC


class FormError(ValueError):
    """A row has no canonical form: a column without a type, or a value that is not of its type."""


def leaf(row: Mapping[str, Any], types: Mapping[str, str]) -> bytes:
    """Return SHA-256(00 ‖ salt ‖ canonical form) of a row, 32 bytes. Raises `FormError`, also when it has neither salt nor seed."""
    return hashlib.sha256(b"\x00" + own_salt(row) + form(row, types)).digest()


def own_salt(row: Mapping[str, Any]) -> bytes:
    """Return the salt of a row: its column, or what is derived of the seed there. Raises `FormError` when it holds neither."""
    salt, number = row.get(SALT), row.get("entry_row")
    if isinstance(salt, bytes) and len(salt) == SALT_BYTES:
        return salt
    if isinstance(salt, bytes) and len(salt) == SEED_BYTES and type(number) is int:
        return hashlib.sha256(SEED_MARK + salt + b"%d" % number).digest()[:SALT_BYTES]
    raise FormError(f"the column {SALT} holds neither a salt of {SALT_BYTES} bytes nor a seed of {SEED_BYTES}")


def form(row: Mapping[str, Any], types: Mapping[str, str]) -> bytes:
    """Return the canonical form of a row: its columns by name, without the salt and those that are NULL.

    Maps are dictionaries or lists of pairs, structs dictionaries, times naive `datetime` or µs since 1970. Raises `FormError`.
    """
    parts: list[bytes] = []
    for name in sorted(row):
        if name == SALT or row[name] is None:
            continue
        if name not in types or not _COLUMN.fullmatch(name):
            raise FormError(f"the column {name!r} is not one of the table")
        try:
            parts.append(name.encode() + b"=" + _value(row[name], _parsed(types[name])))
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise FormError(f"the column {name} holds what is not of type {types[name]}") from error
    return b"".join(parts)


def _value(value: Any, kind: tuple[Any, ...]) -> bytes:
    """A value in the form of its type; None stands inside a map, list or struct."""
    name = kind[0]
    if value is None:
        return b"n;"
    if name == "map":
        pairs = list(value.items() if isinstance(value, Mapping) else value)
        return b"m%d;" % len(pairs) + b"".join(_value(key, kind[1]) + _value(inner, kind[2]) for key, inner in pairs)
    if name == "list":
        return b"l%d;" % len(value) + b"".join(_value(inner, kind[1]) for inner in value)
    if name == "struct":
        return b"s%d;" % len(kind[1]) + b"".join(_value(value[field], inner) for field, inner in kind[1])
    return _scalar(value, name).encode()


def _scalar(value: Any, name: str) -> str:
    if name == "text":
        return f"t{len(value.encode())}:{value}"
    if name == "binary":
        return f"x{len(value)}:{value.hex()}"
    if name == "double":
        return f"d{float(value)!r};"
    if name == "time" and isinstance(value, datetime):
        return f"u{(value - _EPOCH) // timedelta(microseconds=1)};"
    if type(value) is not (bool if name == "bool" else int):
        raise TypeError(name)
    return f"{'u' if name == 'time' else name[0]}{value:d};"


@lru_cache(maxsize=256)
def _parsed(name: str) -> tuple[Any, ...]:
    """A type's name as nested tuples."""
    tokens = _TOKEN.findall(name)
    kind = _type(tokens)
    if tokens:
        raise ValueError(name)
    return kind


def _type(tokens: list[str]) -> tuple[Any, ...]:
    name = tokens.pop(0)
    if name in {"text", "int", "double", "bool", "time", "binary"}:
        return (name,)
    _expect(tokens, "<")
    if name == "map":
        key = _type(tokens)
        _expect(tokens, ",")
        kind: tuple[Any, ...] = ("map", key, _type(tokens))
    elif name == "list":
        kind = ("list", _type(tokens))
    else:
        kind = ("struct", tuple(_fields(tokens)))
    _expect(tokens, ">")
    return kind


def _fields(tokens: list[str]) -> list[tuple[str, tuple[Any, ...]]]:
    fields = []
    while True:
        name = tokens.pop(0)
        _expect(tokens, ":")
        fields.append((name, _type(tokens)))
        if tokens[0] != ",":
            return fields
        tokens.pop(0)


def _expect(tokens: list[str], token: str) -> None:
    if tokens.pop(0) != token:
        raise ValueError(token)
