"""Context words: whole words among the few before a match, above its column, or in the attribute's key, that tell what a number is; pure.

Agents read tables all day: in the lines of a table the words of the column's head say what a cell is, not the cell before it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

WORDS_BEFORE: Final = 5
_CHARS_BEFORE: Final = 120
WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+")
_CASES: Final = re.compile(r"[A-Z]+|[a-z]+")
_DELIMITERS: Final = ("\t", "|", ";", ",")
_RULE: Final = re.compile(r"[\s+|:=\-─━┼│+]*")
_TABLE_CHARS: Final = 6000
_HEAD_CHARS: Final = 60
_PART_LETTERS: Final = 3
"""Shorter parts are chance: random letters are full of them."""


@dataclass(frozen=True, slots=True)
class Context:
    """What makes a weak match a strong one, and what stands against it: phrases of lower-case words."""

    words: tuple[str, ...]
    unless: tuple[str, ...]
    beginnings: frozenset[str]
    """The first words of all phrases."""

    def near(self, text: str, start: int, key_words: Sequence[str]) -> str | None:
        """Return the first context word that stands before `text[start]`, above it or in the key; None when there is none."""
        if not self.words:
            return None
        window = text[max(0, start - _CHARS_BEFORE) : start].lower()
        known = None
        if any(word in window for word in self.beginnings) or not self.beginnings.isdisjoint(key_words):
            known = self._known(words_before(text, start), key_words)
        return known or self._known(column_words(text, start), ())

    def _known(self, words: Sequence[str], key_words: Sequence[str]) -> str | None:
        if self.beginnings.isdisjoint(words) and self.beginnings.isdisjoint(key_words):
            return None
        around = f" {' '.join(words)} {' '.join(key_words)} "
        if any(f" {word} " in around for word in self.unless):
            return None
        return next((word for word in self.words if f" {word} " in around), None)


def context(words: Iterable[str], unless: Iterable[str] = ()) -> Context:
    """Return a context of these words, written as they stand between spaces (`account#` → `account`)."""
    wanted, against = (tuple(dict.fromkeys(" ".join(WORD.findall(word.lower())) for word in each)) for each in (words, unless))
    return Context(wanted, against, frozenset(phrase.partition(" ")[0] for phrase in (*wanted, *against)))


def words_before(text: str, start: int, count: int = WORDS_BEFORE) -> list[str]:
    """Return the lower-case words of the last `count` tokens before `text[start]`; `passportNumber` is one token and two words."""
    tokens = WORD.findall(text, max(0, start - _CHARS_BEFORE), start)[-count:]
    return [word for token in tokens for word in _words(token)]


def column_words(text: str, start: int) -> list[str]:
    """Return the words of the head of the column that `text[start]` stands in; none when that is no line of a table.

    Tables are lines with equally many tabs, `|`, `;` or commas; the head is the first of them. Lines of dashes between are passed over.
    """
    line_start = text.rfind("\n", 0, start) + 1
    if not line_start:
        return []
    line_end = text.find("\n", start)
    line = text[line_start : line_end if line_end >= 0 else len(text)]
    for delimiter in _DELIMITERS:
        head = _head(text, line_start, delimiter, line.count(delimiter))
        cells = head.split(delimiter) if head is not None else []
        column = text.count(delimiter, line_start, start)
        if column < len(cells):
            return [word for token in WORD.findall(cells[column][:_HEAD_CHARS]) for word in _words(token)]
    return []


def _head(text: str, line_start: int, delimiter: str, number: int) -> str | None:
    """Return the first line of the table above, or None when the line above is none of its lines.

    Behind the last line of a table that stands in something else, more may follow.
    """
    head, wanted = None, number
    for line in _lines_before(text, line_start) if number else ():
        count = line.count(delimiter)
        if count and head is None and 2 <= count < number:
            wanted = count
        if count and count == wanted:
            head = line
        elif not line or _RULE.fullmatch(line) is None:
            break
    return head


def _lines_before(text: str, line_start: int) -> Iterator[str]:
    end, limit = line_start - 1, max(0, line_start - _TABLE_CHARS)
    while end > limit:
        begin = text.rfind("\n", limit, end) + 1
        yield text[max(begin, limit) : end]
        if begin <= limit:
            return
        end = begin - 1


def _words(token: str) -> list[str]:
    """Return the words in a token: the whole, and its parts by the case of letters, which acronyms leave ambiguous."""
    lowered = token.lower()
    if token in (lowered, token.upper()) or token[1:].islower() or not token.isalpha():
        return [lowered]
    parts = (part.lower() for part in (*_CAMEL.findall(token), *_CASES.findall(token)))
    return [lowered, *(part for part in parts if len(part) >= _PART_LETTERS)]
