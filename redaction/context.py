"""Context words: whole words among the few before a match, or in the attribute's key, that tell what a number is; pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

WORDS_BEFORE: Final = 5
_CHARS_BEFORE: Final = 120
WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Context:
    """What makes a weak match a strong one, and what stands against it: phrases of lower-case words."""

    words: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def near(self, text: str, start: int, key_words: Sequence[str]) -> str | None:
        """Return the first context word that stands before `text[start]` or in the key; None when there is none."""
        if not self.words:
            return None
        before = WORD.findall(text[max(0, start - _CHARS_BEFORE) : start].lower())[-WORDS_BEFORE:]
        around = f" {' '.join(before)} {' '.join(key_words)} "
        if any(f" {word} " in around for word in self.unless):
            return None
        return next((word for word in self.words if f" {word} " in around), None)


def context(words: Iterable[str], unless: Iterable[str] = ()) -> Context:
    """Return a context of these words, written as they stand between spaces (`account#` → `account`)."""
    return Context(*(tuple(dict.fromkeys(" ".join(WORD.findall(word.lower())) for word in each)) for each in (words, unless)))
