"""Which texts no recognizer can match: most of telemetry, told apart in microseconds so that Presidio never sees it.

For every entity stands a shape that each of its matches must contain: a superset of what its recognizer finds, whatever checksums
and context words make of it. A test holds this against the recognizers themselves. A policy with an entity or expression whose
shape is not known here has no prefilter: then everything is scanned.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from redaction import cards
from redaction.cards import CARD_SHAPES
from redaction.escapes import views
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
    "IBAN_CODE": r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}",
    "MEDICAL_LICENSE": _SEVEN_DIGITS,
    "UK_NHS": r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}",
    "US_BANK_NUMBER": _SEVEN_DIGITS,
    "US_DRIVER_LICENSE": r"\d",
    "US_ITIN": r"\b9\d{2}[- ]?\d{2}[- ]?\d{4}\b",
    "US_PASSPORT": _SEVEN_DIGITS,
    "US_SSN": r"\b[0-9]{3}[- .]?[0-9]{2}[- .]?[0-9]{4}\b",
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

LOOKED_AT_CHARS: Final = 512
"""Up to this length the finder of cards itself is asked: ids and times are full of digits."""

_CARD: Final = "CREDIT_CARD"
_CRYPTO: Final = "CRYPTO"
_PHONE: Final = "PHONE_NUMBER"
_EMAIL: Final = "EMAIL_ADDRESS"
_DIGIT: Final = compiled(r"\d")
_ADDRESS: Final = compiled(r"(?i)(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25,59}")
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NOT_BASE58: Final = re.compile(f"[^{_BASE58}]")
BARE_DIGITS: Final = 7
COMPACT_DATE: Final = compiled(r"(?<!\d)(?:19|20)\d\d[01]\d[0-3]\d(?!\d)")
"""No part of a phone number."""
_SHORT_GROUP: Final = compiled(r"(?<!\d)\d{1,6}(?!\d)")


Search = Callable[[str], object]


class Prefilter:
    """The shapes of one policy."""

    def __init__(self, config: RedactionConfig) -> None:
        entities = set(config.presidio.entity_names())
        self._knows_all = entities <= {*_SHAPES, _CARD, _CRYPTO, _PHONE, _EMAIL} and not config.blocked_values
        self._email = _EMAIL in entities
        threshold = config.presidio.score_threshold
        worded = {entity for entity, (score, _) in NEEDS_WORDS.items() if entity in entities and score < threshold}
        self._digits: tuple[Search, ...] = _searches(*(shape for entity, shape in _SHAPES.items() if entity in entities - worded))
        self._cards: tuple[Search, ...] = _searches(*CARD_SHAPES) if _CARD in entities else ()
        self._worded = tuple((compiled(_SHAPES[entity]).search, searched(NEEDS_WORDS[entity][1])) for entity in sorted(worded))
        self._crypto = _CRYPTO in entities
        self._phones = compiled(PHONE_CANDIDATE) if _PHONE in entities else None
        self._bare_needs_words = threshold > BARE_SCORE
        rules = RULES if config.secrets.enabled else ()
        weak = [rule for rule in rules if rule.context and rule.score < threshold]
        self._weak = tuple((re.compile(rule.shape, re.ASCII).search, searched(rule.context)) for rule in weak)
        shapes = dict.fromkeys((*(rule.shape for rule in rules if rule not in weak), *([KEY_TAIL_SHAPE] if rules else ())))
        # their alphabets are ASCII, and `re` is quicker there
        self._secrets: tuple[Search, ...] = tuple(re.compile(shape, re.ASCII).search for shape in shapes)

    def may_match(self, text: str, context: Sequence[str]) -> bool:
        """Whether a recognizer could find something in `text`, or in what it stands for; False is certain."""
        return not self._knows_all or self.may_match_default(text, context)

    def may_match_default(self, text: str, context: Sequence[str]) -> bool:
        """The same for the entities whose shapes are known: all but those on request and the values that the policy blocks."""
        return self._suspicious(text, context) or any(self._suspicious(view, context) for view, _ in views(text))

    def _suspicious(self, text: str, context: Sequence[str]) -> bool:
        if self._email and "@" in text:
            return True
        for search in self._secrets:
            if search(text):
                return True
        for search, words in self._weak:
            if search(text) and words(text, context):
                return True
        return _DIGIT.search(text) is not None and self._may_hold_number(text, context)

    def _may_hold_number(self, text: str, context: Sequence[str]) -> bool:
        for search in self._digits:
            if search(text):
                return True
        for search, words in self._worded:
            if search(text) and words(text, context):
                return True
        for search in self._cards:
            if search(text) and (len(text) > LOOKED_AT_CHARS or next(cards.find(text, context), None) is not None):
                return True
        return (self._crypto and _holds_address(text)) or self._may_hold_phone(text, context)

    def _may_hold_phone(self, text: str, context: Sequence[str]) -> bool:
        bare = False
        for candidate in self._phones.finditer(text) if self._phones is not None else ():
            shape = candidate.group()
            if shape[0] not in "+＋" and len(_DIGIT.findall(COMPACT_DATE.sub("", shape))) < BARE_DIGITS:
                continue
            if not self._bare_needs_words or shape[0] in "+＋" or _SHORT_GROUP.search(shape):
                return True
            bare = True
        return bare and may_mean_phone(text, context)


def _holds_address(text: str) -> bool:
    """Whether the recognizer of Bitcoin addresses would match: hexadecimal ids have its shape, but not the checksum."""
    for match in _ADDRESS.finditer(text):
        address = match.group()
        if address.startswith("bc1"):
            return True
        if not _NOT_BASE58.search(address) and _is_base58check(address):
            return True
    return False


def _is_base58check(address: str) -> bool:
    number = 0
    for char in address:
        number = number * 58 + _BASE58.index(char)
    zeros = len(address) - len(address.lstrip(_BASE58[0]))
    decoded = number.to_bytes(zeros + (number.bit_length() + 7) // 8, "big")
    return hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]


def searched(words: Iterable[str]) -> Callable[[str, Sequence[str]], bool]:
    """Return whether a text or the words of its key hold the beginning of one of these phrases: False is certain."""
    beginnings = tuple(dict.fromkeys(word.split(" ")[0] for word in words))

    def found(text: str, context: Sequence[str]) -> bool:
        lowered = text.lower()
        return any(word in lowered for word in beginnings) or any(word in key_word for key_word in context for word in beginnings)

    return found


may_mean_phone: Final = searched(PHONE_WORDS)


def _searches(*shapes: str) -> tuple[Search, ...]:
    return tuple(compiled(shape).search for shape in dict.fromkeys(shapes))
