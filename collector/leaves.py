"""The leaves of OTLP values as text; pure."""

import hashlib
from collections.abc import Iterator

from collector.anyvalue import as_text, read_value
from collector.signals import Message


def texts_below(value: Message) -> Iterator[tuple[Message, str]]:
    """Yield the leaves of a value that are text or bytes, in order; bytes that are no text count as an empty one."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        yield value, value.string_value
    elif kind == "bytes_value":
        yield value, utf8(value.bytes_value) or ""
    elif kind == "array_value":
        for item in value.array_value.values:
            yield from texts_below(item)
    elif kind == "kvlist_value":
        for pair in value.kvlist_value.values:
            yield from texts_below(pair.value)


def utf8(data: bytes) -> str | None:
    """Return the text that bytes are; None when they are something else, or text in another encoding."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def blob(data: bytes) -> str:
    """Return what stands for bytes that nobody can look into."""
    return f"<BLOB:bytes:{len(data)}:{hashlib.sha256(data).hexdigest()}>"


def plain_text(value: Message) -> str:
    """Return a value as the text that the lake would store; empty for an empty one."""
    plain = read_value(value)
    return as_text(plain) if plain else ""
