"""A configuration as one hash: what tells that it changed without telling what it says.

It covers what is in force: values with variables and defaults put in, price list and recognizers as they were read. The last one of
each process stands in `<data>/config/`, so that a change between two starts is seen, too.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from collector.price_file import PriceFile
from storage.durable import hint_for, write_file
from storage.errors import StorageError

FOLDER: Final = "config"


def config_hash(config: object, files: Sequence[Path] = ()) -> str:
    """Return 16 hex digits of a configuration (models, dataclasses, plain values) and of the contents of `files`, the same in every
    process. A file that cannot be read counts as such."""
    parts = [*_stated(config), *(f"file {_digest(file)}" for file in files)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def remembered(data: Path, process: str) -> str | None:
    """Return the hash that a process of this name had last; None when it is not known."""
    try:
        return (data / FOLDER / process).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def remember(data: Path, process: str, value: str) -> None:
    """Keep the hash of a process, durably. Raises `StorageError`."""
    path = data / FOLDER / process
    if remembered(data, process) == value:
        return
    try:
        write_file(path, f"{value}\n".encode())
    except OSError as error:
        raise StorageError("keep the hash of the configuration", path, hint=hint_for(error)) from error


def _stated(value: object, place: str = "") -> Iterator[str]:
    """Yield one line a plain value, with its place, in an order that does not depend on the process."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _stated(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _stated(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _stated(value[key], f"{place}.{key}")
    elif isinstance(value, PriceFile):
        yield f"{place} {value.version}"
    elif isinstance(value, set | frozenset):
        yield f"{place} {sorted(map(str, value))!r}"
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _stated(each, f"{place}[{number}]")
    else:
        yield f"{place} {value!r}"


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
