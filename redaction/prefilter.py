"""Which texts no recognizer can match: most of telemetry, told apart in microseconds so that Presidio never sees it.

For every entity stands a shape that each of its matches must contain: a superset of what its recognizer finds, whatever checksums
and context words make of it. A test holds this against the recognizers themselves. A policy with an entity or expression whose
shape is not known here has no prefilter: then everything is scanned.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from redaction.escapes import unescaped
from redaction.expressions import compiled
from redaction.policy import RedactionConfig
from redaction.secrets import RULES

PHONE_CANDIDATE: Final = (
    r"(?<![\w.@])[+＋]?[(\[（]?(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d))\d"
    r"(?:[-\s().\[\]/‐-―−ー－／\u200b\u2060（）～~]{0,3}\d){6,17}(?!(?![xX]\d)[\w@])"
)
"""Seven digits or more in the punctuation of phone numbers, and no date."""

_SEVEN_DIGITS: Final = r"\d{4}[- ]?\d{3}"
_SHAPES: Final = {
    "CREDIT_CARD": _SEVEN_DIGITS,
    "CRYPTO": r"(?:(?i:bc1)|[13])[^\W_]{25}",
    "IBAN_CODE": r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}",
    "MEDICAL_LICENSE": _SEVEN_DIGITS,
    "PHONE_NUMBER": PHONE_CANDIDATE,
    "UK_NHS": r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}",
    "US_BANK_NUMBER": _SEVEN_DIGITS,
    "US_ITIN": r"9\d{2}[- ]?\d{2}[- ]?\d{4}",
    "US_PASSPORT": _SEVEN_DIGITS,
    "US_SSN": r"[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}",
}
"""Shapes that contain a digit. Each is searched for by itself: an alternation of all would lose the engine's short cuts."""

_LICENSE: Final = "US_DRIVER_LICENSE"
_LICENSE_SCORE: Final = 0.3
_LICENSE_WORDS: Final = compiled(r"(?i)driv(?:er|ing)|\bdl\b")
"""A licence number is a letter and a digit: without one of these words it never reaches a threshold above its pattern's score."""

_EMAIL: Final = "EMAIL_ADDRESS"
_DIGIT: Final = compiled(r"\d")


Search = Callable[[str], object]


class Prefilter:
    """The shapes of one policy."""

    def __init__(self, config: RedactionConfig) -> None:
        entities = set(config.presidio.entity_names())
        self._knows_all = entities <= {*_SHAPES, _LICENSE, _EMAIL} and not config.blocked_values
        self._email = _EMAIL in entities
        self._license = _LICENSE in entities
        self._license_needs_words = config.presidio.score_threshold > _LICENSE_SCORE
        self._digits: tuple[Search, ...] = _searches(shape for entity, shape in _SHAPES.items() if entity in entities)
        secrets = RULES if config.secrets.enabled else ()
        # their alphabets are ASCII, and `re` is quicker there
        self._secrets: tuple[Search, ...] = tuple(re.compile(rule.shape, re.ASCII).search for rule in secrets)

    def may_match(self, text: str, context: Sequence[str]) -> bool:
        """Whether a recognizer could find something in `text`, or in what its escapes stand for; False is certain."""
        if not self._knows_all or self._suspicious(text, context):
            return True
        decoded = unescaped(text)
        return decoded is not None and self._suspicious(decoded[0], context)

    def _suspicious(self, text: str, context: Sequence[str]) -> bool:
        if self._email and "@" in text:
            return True
        for search in self._secrets:
            if search(text):
                return True
        if _DIGIT.search(text) is None:
            return False
        for search in self._digits:
            if search(text):
                return True
        return self._license and (not self._license_needs_words or bool(_LICENSE_WORDS.search(f"{text} {' '.join(context)}")))


def _searches(shapes: Iterable[str]) -> tuple[Search, ...]:
    return tuple(compiled(shape).search for shape in dict.fromkeys(shapes))
