"""JSON inside strings, as agents send it: cut off in the middle, quoted twice, nested too deep, with halves of characters."""

import json
import re
from typing import Any, Final

_DECODER: Final = json.JSONDecoder()
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
NOTHING: Final = object()
"""What `loads` gives for a text that is no JSON."""


def loads(text: str) -> Any:
    """Return the value of a JSON text, or `NOTHING`; never raises."""
    try:
        return _whole(json.loads(text), text)
    except (ValueError, RecursionError):
        return NOTHING


def decode(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value that begins at `start`, and where it ends. Raises `ValueError` where none does."""
    try:
        value, end = _DECODER.raw_decode(text, start)
        return _whole(value, text, start, end), end
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _whole(value: Any, text: str, start: int = 0, end: int | None = None) -> Any:
    """Return the value with replacement characters for halves of characters: they could not be written as UTF-8."""
    return _mended(value) if _HALF.search(text, start, len(text) if end is None else end) else value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value
