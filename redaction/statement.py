"""What stands for a text in the record of a read: cleaned without a scanner, and what only a scanner could clear as a keyed pseudonym.

Reads are many and short, and Presidio takes seconds to load. The prefilter clears nearly all of their texts. Of a statement that it
does not clear, the literals in question are exchanged: the record still says what was asked of which table, and whoever holds the
pseudonym key can tell whether it was about somebody.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from redaction.findings import UNSCANNED, withheld
from redaction.pseudonym import pseudonym

ENTITY: Final = UNSCANNED.upper()
_WITHHELD: Final = withheld(UNSCANNED).text
_LITERAL: Final = re.compile(
    r"\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|'(?:[^'\\]|''|\\.)*+(?:'|\Z)"
    r"|\"(?:[^\"]|\"\")*+(?:\"|\Z)"
    r"|--[^\n]*+|/\*.*?(?:\*/|\Z)"
    r"|(?<![\w.])\d[\w.]*+",
    re.DOTALL,
)
"""Strings, quoted names, comments and numbers of SQL; one that does not end goes to the end of the text."""

Clean = Callable[[str], str]
"""A text without a scanner: as it may be stored, with `<WITHHELD:unscanned>` for what only a scanner could clear."""


def cleaned_statement(text: str, clean: Clean, key: bytes) -> str:
    """Return a statement as it may be stored: as little of it exchanged for pseudonyms under `key` as `clean` demands."""
    attempts: Sequence[Clean] = (
        lambda given: given,
        lambda given: _LITERAL.sub(lambda found: _doubtful(found[0], clean, key), given),
        lambda given: _LITERAL.sub(lambda found: pseudonym(key, ENTITY, found[0]), given),
    )
    for attempt in attempts:
        cleaned = clean(attempt(text))
        if _WITHHELD not in cleaned:
            return cleaned
    return pseudonym(key, ENTITY, text)


def cleaned_name(text: str, clean: Clean, key: bytes) -> str:
    """Return any other text as it may be stored: as a pseudonym when only a scanner could clear it."""
    cleaned = clean(text)
    return pseudonym(key, ENTITY, text) if _WITHHELD in cleaned else cleaned


def _doubtful(literal: str, clean: Clean, key: bytes) -> str:
    """Return a literal, or its pseudonym between the same quotes when `clean` does not clear it."""
    if _WITHHELD not in clean(literal):
        return literal
    quote = literal[0] if literal[0] in "'\"" and literal[-1] == literal[0] and len(literal) > 1 else ""
    return f"{quote}{pseudonym(key, ENTITY, literal.strip(quote) if quote else literal)}{quote}"
