"""Samples, their labels, and the marks by which a label survives whatever is done to the text around it.

A generator writes `mark("EMAIL_ADDRESS", value)` into a text; the text may then be put into JSON, into JSON inside JSON or into a Python
repr. Only `sample` takes the marks away and notes where the values stand, as escaped as they then are.
"""

import re
from dataclasses import dataclass

OPEN, SPLIT, CLOSE = "⟦", "¦", "⟧"
MARKED = re.compile(f"{OPEN}([A-Z0-9_]+){SPLIT}([^{OPEN}{CLOSE}]*){CLOSE}")
TOLERATED = "TOLERATED"
"""The entity of a stretch that need not be found, and is no false positive when it is: a user name before a password, say."""


@dataclass(frozen=True, slots=True)
class Label:
    """What stands in `text[start:end]`, in code points."""

    start: int
    end: int
    entity: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A text as an agent sends it, and what in it is to be removed. `tokens`: how many ids a negative holds."""

    text: str
    key: str | None
    labels: tuple[Label, ...]
    kind: str
    tokens: int = 0


def mark(entity: str, value: str) -> str:
    """Return the value between marks."""
    return f"{OPEN}{entity}{SPLIT}{value}{CLOSE}"


def unmark(text: str) -> str:
    """Return the text without marks."""
    return MARKED.sub(r"\2", text)


def sample(text: str, key: str | None, kind: str, tokens: int = 0) -> Sample:
    """Return the sample of a marked text."""
    labels: list[Label] = []
    parts: list[str] = []
    length, last = 0, 0
    for found in MARKED.finditer(text):
        before, value = text[last : found.start()], found[2]
        parts += (before, value)
        start = length + len(before)
        length = start + len(value)
        labels.append(Label(start, length, found[1]))
        last = found.end()
    parts.append(text[last:])
    return Sample("".join(parts), key, tuple(labels), kind, tokens)
