"""Which texts no recognizer can match: most of telemetry, told apart in microseconds so that Presidio never sees it.

For every entity stands a shape that each of its matches must contain: a superset of what its recognizer finds, whatever checksums
and context words make of it. A test holds this against the recognizers themselves. A policy with an entity or expression whose
shape is not known here has no prefilter: then everything is scanned.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from redaction.cards import CARD_SHAPES
from redaction.escapes import unescaped
from redaction.expressions import compiled
from redaction.policy import RedactionConfig
from redaction.secrets import KEY_TAIL_SHAPE, RULES

PHONE_CANDIDATE: Final = (
    r"(?<![\w.@])[+＋]?[(\[（]?(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d))\d"
    r"(?:[-\s().\[\]/‐-―−ー－／\u200b\u2060（）～~]{0,3}\d){6,17}(?!(?![xX]\d)[\w@])"
)
"""Seven digits or more in the punctuation of phone numbers, and no date."""

BARE_SCORE: Final = 0.2
"""Of bare digits that may be a phone number: a context word must raise it."""

PHONE_WORDS: Final = (
    *(
        "phone",
        "phones",
        "telephone",
        "tel",
        "cell",
        "cellphone",
        "mobile",
        "dial",
        "fax",
        "sms",
        "whatsapp",
        "hotline",
        "caller",
        "callee",
    ),
    *(f"{verb} {whom}" for verb in ("call", "text", "ring", "reach", "contact") for whom in ("me", "us", "him", "her", "them", "back")),
    *(f"{whose} number" for whose in ("my", "your", "his", "her", "our", "their", "contact")),
)
"""Every agent makes calls, writes texts and has numbers: only the phrases that mean a person's phone are context."""

ACCOUNT_WORDS: Final = ("account", "acct", "bank", "debit", "checking", "savings")
LICENSE_WORDS: Final = (
    "driver license", "drivers license", "driver s license", "driving license", "driving licence", "driver licence", "dl"
)  # fmt: skip
MEDICAL_WORDS: Final = ("medical", "certificate", "dea", "prescriber", "license")
NHS_WORDS: Final = ("nhs", "national health service", "health services authority", "health authority")
PASSPORT_WORDS: Final = ("passport", "passports")

_SEVEN_DIGITS: Final = r"\d{4}[- ]?\d{3}"
_SHAPES: Final = {
    "CREDIT_CARD": CARD_SHAPES[0],
    "CRYPTO": r"(?:(?i:bc1)|[13])[^\W_]{25}",
    "IBAN_CODE": r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}",
    "MEDICAL_LICENSE": _SEVEN_DIGITS,
    "UK_NHS": r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}",
    "US_BANK_NUMBER": _SEVEN_DIGITS,
    "US_DRIVER_LICENSE": r"\d",
    "US_ITIN": r"9\d{2}[- ]?\d{2}[- ]?\d{4}",
    "US_PASSPORT": _SEVEN_DIGITS,
    "US_SSN": r"[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}",
}
"""Shapes that contain a digit. Each is searched for by itself: an alternation of all would lose the engine's short cuts."""

NEEDS_WORDS: Final = {
    "MEDICAL_LICENSE": (0.2, MEDICAL_WORDS),
    "UK_NHS": (0.2, NHS_WORDS),
    "US_BANK_NUMBER": (0.05, ACCOUNT_WORDS),
    "US_DRIVER_LICENSE": (0.3, LICENSE_WORDS),
    "US_PASSPORT": (0.1, PASSPORT_WORDS),
}
"""What a recognizer is sure of by itself: below a policy's threshold it finds nothing without one of its context words."""

_CARD: Final = "CREDIT_CARD"
_PHONE: Final = "PHONE_NUMBER"
_EMAIL: Final = "EMAIL_ADDRESS"
_DIGIT: Final = compiled(r"\d")
_SHORT_GROUP: Final = compiled(r"(?<!\d)\d{1,6}(?!\d)")


Search = Callable[[str], object]


class Prefilter:
    """The shapes of one policy."""

    def __init__(self, config: RedactionConfig) -> None:
        entities = set(config.presidio.entity_names())
        self._knows_all = entities <= {*_SHAPES, _PHONE, _EMAIL} and not config.blocked_values
        self._email = _EMAIL in entities
        threshold = config.presidio.score_threshold
        worded = {entity for entity, (score, _) in NEEDS_WORDS.items() if entity in entities and score < threshold}
        self._digits: tuple[Search, ...] = _searches(
            *(shape for entity, shape in _SHAPES.items() if entity in entities - worded), *(CARD_SHAPES[1:] if _CARD in entities else ())
        )
        self._worded = tuple((compiled(_SHAPES[entity]).search, searched(NEEDS_WORDS[entity][1])) for entity in sorted(worded))
        self._phones = compiled(PHONE_CANDIDATE) if _PHONE in entities else None
        self._bare_needs_words = threshold > BARE_SCORE
        shapes = dict.fromkeys((*(rule.shape for rule in RULES), KEY_TAIL_SHAPE)) if config.secrets.enabled else {}
        # their alphabets are ASCII, and `re` is quicker there
        self._secrets: tuple[Search, ...] = tuple(re.compile(shape, re.ASCII).search for shape in shapes)

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
        return any(shape(text) and words(text, context) for shape, words in self._worded) or self._may_hold_phone(text, context)

    def _may_hold_phone(self, text: str, context: Sequence[str]) -> bool:
        bare = False
        for candidate in self._phones.finditer(text) if self._phones is not None else ():
            shape = candidate.group()
            if not self._bare_needs_words or shape[0] in "+＋" or _SHORT_GROUP.search(shape):
                return True
            bare = True
        return bare and may_mean_phone(text, context)


def searched(words: Iterable[str]) -> Callable[[str, Sequence[str]], bool]:
    """Return whether a text or the words of its key hold the beginning of one of these phrases: False is certain."""
    search = re.compile("|".join(dict.fromkeys(word.split(" ")[0] for word in words)), re.IGNORECASE).search
    return lambda text, context: search(text) is not None or search(" ".join(context)) is not None


may_mean_phone: Final = searched(PHONE_WORDS)


def _searches(*shapes: str) -> tuple[Search, ...]:
    return tuple(compiled(shape).search for shape in dict.fromkeys(shapes))
