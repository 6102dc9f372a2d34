"""Tables in text: what stands in the column of a blocked key is taken out, as it is behind the key itself; pure.

The head of a table is a line with a cell that names a secret; the lines below with as many delimiters are its rows. What stands in a row
has to look like a secret: a head may be a line of prose.
"""

import re
from collections.abc import Iterator
from typing import Final

from redaction.findings import Finding
from redaction.keys import Handling
from redaction.rules import BLOCK, Rules
from redaction.secrets.values import bare_password

_NAMES: Final = ("passw", "secret", "token", "key", "cookie", "authorization")
"""What a head has to hold to be looked at: searched in every text, so as plain strings."""

_DELIMITERS: Final = ("\t", "|", ";", ",")
_HEAD_CHARS: Final = 400
_TABLE_CHARS: Final = 20_000
_SHORTEST: Final = 6
_RULE: Final = re.compile(r"[^\n]{0,120}?[+|:]?-{3}[-+|: ]*")
_CELL: Final = re.compile(r"[\s\"'`*]*+(?P<value>[^\s\"'`*]*+(?:[ \"'`*]+[^\s\"'`*]+)*+)[\s\"'`*]*+")


def may_hold(text: str) -> bool:
    """Whether `find` could find something in the text or in a string of its JSON; False is certain."""
    return ("\n" in text or "\\" in text) and _names_a_secret(text.lower())


def find(text: str, rules: Rules) -> Iterator[Finding]:
    """Yield the values in columns of blocked keys."""
    if "\n" not in text:
        return
    lowered = text.lower()
    if len(lowered) != len(text) or not _names_a_secret(lowered):
        return
    below = 0  # what stands in a table is not the head of another
    for start in sorted({lowered.rfind("\n", 0, at) + 1 for name in _NAMES for at in _places(lowered, name)}):
        end = text.find("\n", start)
        if start < below or end < 0 or end - start > _HEAD_CHARS:
            continue
        for delimiter in _DELIMITERS:
            cells = text[start:end].split(delimiter)
            columns = [index for index, cell in enumerate(cells) if len(cells) > 1 and _is_blocked(cell, rules)]
            if columns:
                found, below = _rows(text, end + 1, delimiter, len(cells), columns)
                yield from found
                break


def _names_a_secret(lowered: str) -> bool:
    for name in _NAMES:  # noqa: SIM110 - a third of the time of `any`
        if name in lowered:
            return True
    return False


def _places(text: str, name: str) -> Iterator[int]:
    """Yield where `name` stands, once a line."""
    at = text.find(name)
    while at >= 0:
        yield at
        end = text.find("\n", at)
        at = text.find(name, end) if end >= 0 else -1


def _is_blocked(cell: str, rules: Rules) -> bool:
    match = _CELL.fullmatch(cell)
    name = match["value"].rpartition(":")[2] if match is not None else ""
    return bool(name) and len(name) <= 60 and " " not in name and rules.keys.nested(name).handling is Handling.BLOCK


def _rows(text: str, start: int, delimiter: str, number: int, columns: list[int]) -> tuple[list[Finding], int]:
    """Return what is found in the rows that begin at `start`, and where they end."""
    found: list[Finding] = []
    limit = min(len(text), start + _TABLE_CHARS)
    while start < limit:
        end = text.find("\n", start)
        end = end if end >= 0 else len(text)
        cells = text[start:end].split(delimiter)
        if len(cells) == number:
            found += (each for column in columns if (each := _in_cell(cells, column, start)) is not None)
        elif _RULE.fullmatch(text, start, end) is None:
            break
        start = end + 1
    return found, start


def _in_cell(cells: list[str], column: int, start: int) -> Finding | None:
    match = _CELL.fullmatch(cells[column])
    if match is None or len(match["value"]) < _SHORTEST or not bare_password(match["value"]):
        return None
    begin = start + sum(len(cell) + 1 for cell in cells[:column])
    return Finding(begin + match.start("value"), begin + match.end("value"), BLOCK.entity, 1.0, BLOCK.rule)
