"""Which whole numbers can be personal data: telemetry is full of numbers, and each that is scanned costs a millisecond.

Bare digits prove little. They are a card number by themselves, and anything else only under a key that says what they are.
"""

import re
from collections.abc import Sequence
from typing import Final

from redaction.cards import CARD_WORDS
from redaction.policy import DEFAULT_ENTITIES, RedactionConfig

_BARE_SCORE: Final = 0.3
"""What bare digits reach at most without a context word: a policy with a lower threshold wants all of them scanned."""
_WORDS: Final = frozenset({
    "phone", "telephone", "tel", "cell", "cellphone", "mobile", "call", "dial", "fax", "sms", "whatsapp", "text", "reach", "contact",
    "number", "ring", "hotline", "nhs", "health", "account", "acct", "bank", "debit", "checking", "savings", "driver", "drivers",
    "driving", "dl", "individual", "taxpayer", "itin", "tax", "payer", "taxid", "tin", "passport", "passports", "social", "security",
    "ssn", "ssns", "ssid", "phones", "caller", "callee", *CARD_WORDS,
})  # fmt: skip
"""Every context phrase of a recognizer that finds bare digits has one of these words; a test holds this against the recognizers."""
_CARD: Final = re.compile(r"-?(?:1\d{14}|[2-689]\d{12,18})")
_LONGEST: Final = 20
"""Digits and sign of a 64-bit integer. What is longer comes from a double, and goes the way of texts."""


class Numbers:
    """The decision for one policy."""

    def __init__(self, config: RedactionConfig) -> None:
        presidio = config.presidio
        self._need_words = (
            set(presidio.entity_names()) <= set(DEFAULT_ENTITIES) and not config.blocked_values and presidio.score_threshold > _BARE_SCORE
        )

    def may_match(self, number: str, context: Sequence[str]) -> bool:
        """Whether a recognizer could find something in `number` (digits, perhaps a minus); False is certain."""
        if not self._need_words or len(number) > _LONGEST:
            return True
        return _CARD.fullmatch(number) is not None or not _WORDS.isdisjoint(context)
