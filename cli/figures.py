"""Numbers for people, on a terminal: unknown is empty and never 0."""

import re
from collections.abc import Mapping
from typing import Any, Final

_STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """Return a text of a record for a terminal, which it must not steer; lines and tabs stay."""
    return _STEERING.sub("�", str(text))


def duration(milliseconds: float | None) -> str:
    """Return a duration for people; unknown is empty."""
    if milliseconds is None:
        return ""
    sign, size = ("-" if milliseconds < 0 else ""), abs(milliseconds)
    if size < 1000:
        return f"{sign}{size:.0f} ms"
    if size < 120_000:
        return f"{sign}{size / 1000:.1f} s"
    return f"{sign}{size / 60_000:.1f} min" if size < 7_200_000 else f"{sign}{size / 3_600_000:.1f} h"


def cost(dollars: float | None) -> str:
    """Return a cost for people; unknown is empty."""
    return "" if dollars is None else f"${dollars:.4f}"


def tokens(row: Mapping[str, Any]) -> str:
    """Return tokens in and out for people; unknown is empty, half known shows a question mark."""
    known = [row["input_tokens"], row["output_tokens"]]
    return "" if known == [None, None] else " → ".join("?" if number is None else f"{number}" for number in known) + " tok"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return `1 step`, `2 steps`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(text: object, length: int = 100) -> str:
    """Return a text in one line of at most `length` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
