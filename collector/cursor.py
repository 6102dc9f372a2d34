"""What the walk knows about the field under its cursor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from collector.cleaning import Capture, CleanedText, Cleaner, Mode
from collector.findings import Place


class At(NamedTuple):
    """What the field under the cursor belongs to: the records that it concerns, whose data it is, and how content is captured."""

    records: range
    cleaner: Cleaner
    capture: Capture | None


class Inside(NamedTuple):
    """What the members of a list of key and value have from around them: the attribute's capture, a key that decides for all of them,
    and keys that others of them tell (`{"name": "DB_PASSWORD", "value": …}`)."""

    mode: Mode | None = None
    outer: str | None = None
    told: Mapping[str, str] = MappingProxyType({})


class Special(NamedTuple):
    """A key whose values are decided by the key: `blocked` stands for all of them, or (None) each is looked up, whatever its type."""

    blocked: CleanedText | None


Keys = dict[str, Special | None]
"""Attribute keys that are known to be clean; None for ordinary ones."""


@dataclass(slots=True)
class Slot:
    """A text that the redactor did not know yet, and how its cleaned form is put in place."""

    text: str
    key: str | None
    at: At
    place: Place
    put: Callable[[str], None]
    mode: Mode | None
