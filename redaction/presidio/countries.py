"""Recognizers of countries: Presidio's own, made to leave ordinary telemetry alone.

Upstream's patterns and checksums stay. What changes: nothing is found inside a longer run of letters or digits; most recognizers need one
of their context words, however good the checksum; the few that need none count in capital letters only; and all run for every text,
whatever its language. South African phone numbers are found as `PHONE_NUMBER`, by the region, like those of all other countries.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import RecognizerListLoader

from redaction.policy_defaults import COUNTRY_ENTITIES
from redaction.presidio.country_words import CERTAIN, FEW_DIGITS, FIVE_DIGITS, SOME_DIGIT, WORDS

NEEDS_WORDS_SCORE: Final = 0.2
"""Of a match without a context word: below every sensible threshold."""

_TOO_WEAK: Final = {"IN_PAN": 0.01, "IN_VEHICLE_REGISTRATION": 0.01}
"""Patterns of these with such a score match half of all ids (ten characters with four digits; a letter and four digits)."""


class _Careful:
    """Mixed into a recognizer: some of upstream's checksums fail on digits of other scripts, which prove nothing then."""

    def _validity(self, pattern_text: str) -> bool | None:
        try:
            return super().validate_result(pattern_text)  # type: ignore[misc, no-any-return]
        except (ArithmeticError, LookupError, ValueError):
            return None


class _Worded(_Careful):
    """However good the checksum, a context word has to stand by."""

    needs_words = True

    def validate_result(self, pattern_text: str) -> bool | None:
        return False if self._validity(pattern_text) is False else None


class _Capital(_Careful):
    """Parts of hexadecimal ids are small letters."""

    def validate_result(self, pattern_text: str) -> bool | None:
        return self._validity(pattern_text)

    def invalidate_result(self, pattern_text: str) -> bool:
        return pattern_text != pattern_text.upper() or bool(super().invalidate_result(pattern_text))  # type: ignore[misc]


class FrenchNir(PatternRecognizer):
    """The French social security number: sex, year, month, place, order, and a key modulo 97."""

    COUNTRY_CODE = "fr"

    def __init__(self) -> None:
        month, place = r"(?:0[1-9]|1[0-2]|[2-9]\d)", r"(?:\d\d|2[AB])"
        regex = rf"[1-478][ .]?\d\d[ .]?{month}[ .]?{place}[ .]?\d{{3}}[ .]?\d{{3}}[ .]?\d\d"
        words = ["nir", "sécurité sociale", "numéro de sécu", "numéro insee", "carte vitale", "assuré social"]
        super().__init__("FR_NIR", name="FrNirRecognizer", patterns=[Pattern("NIR", regex, 0.5)], context=words)

    def validate_result(self, pattern_text: str) -> bool:
        digits = re.sub(r"[ .]", "", pattern_text).upper().replace("2A", "19").replace("2B", "18")
        return int(digits[:13]) % 97 + int(digits[13:]) == 97


def country_recognizers(entities: frozenset[str]) -> Iterator[Any]:
    """Yield the recognizers of those `entities` that belong to a country, in alphabetical order of their entity."""
    wanted = {entity: code for code, of_country in COUNTRY_ENTITIES.items() for entity in of_country if entity in entities}
    kinds = {kind().supported_entities[0]: kind for kind in _classes() if kind.COUNTRY_CODE in wanted.values()}
    for entity in sorted(wanted):
        yield _adapted(kinds[entity], entity)


def country_shape(entity: str) -> str | None:
    """Return what every match contains, to be looked for beside the context words; None for what is found without words."""
    if entity in CERTAIN:
        return None
    return SOME_DIGIT if entity in FEW_DIGITS else FIVE_DIGITS


def _classes() -> list[Any]:
    """Return upstream's classes of countries that are recognizers by pattern, and ours."""
    offered = RecognizerListLoader.get_all_existing_recognizers(PatternRecognizer)
    return [FrenchNir, *(kind for kind in offered if kind.COUNTRY_CODE and kind.__module__.startswith("presidio_analyzer."))]


def _adapted(kind: Any, entity: str) -> Any:
    certain = entity in CERTAIN
    recognizer = type(kind.__name__, (_Capital if certain else _Worded, kind), {})()
    recognizer.context = list(WORDS.get(entity, recognizer.context or ()))
    recognizer.patterns = [
        Pattern(each.name, _whole(each.regex), each.score if certain else min(each.score, NEEDS_WORDS_SCORE))
        for each in recognizer.patterns
        if each.score > _TOO_WEAK.get(entity, -1)
    ]
    return recognizer


def _whole(expression: str) -> str:
    """Return the expression for whole words; upstream's flags ignore case anyway."""
    return rf"(?<![0-9A-Za-z])(?:{expression.replace('(?i)', '')})(?![0-9A-Za-z])"
