"""Recognizers of ours, and upstream's where theirs would flag ordinary telemetry: what Presidio runs for the default entities."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.predefined_recognizers import (
    CryptoRecognizer,
    MedicalLicenseRecognizer,
    NhsRecognizer,
    UsLicenseRecognizer,
    UsSsnRecognizer,
)

from redaction.candidates import LICENSE_WORDS, MEDICAL_WORDS, NHS_WORDS, PHONE_WORDS
from redaction.phones import Phones
from redaction.policy import RedactionConfig
from redaction.presidio.nearby import key_words_of
from redaction.secrets import SecretRule


class SpanRecognizer(LocalRecognizer):
    """A finder of ours as a recognizer: `find`, given a text and the words of its key, yields what is certain as (start, end)."""

    def __init__(self, entity: str, name: str, find: Callable[[str, Sequence[str]], Iterable[tuple[int, int]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], name=name)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        return [_result(self, start, end, 1.0) for start, end in self._find(text, key_words_of(nlp_artifacts))]


class ScoredSpans(LocalRecognizer):
    """The same for a finder that also says how sure it is: `find` yields (start, end, score)."""

    def __init__(self, entity: str, name: str, find: Callable[[str, Sequence[str]], Iterable[tuple[int, int, float]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], name=name)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        results = [_result(self, start, end, score) for start, end, score in self._find(text, key_words_of(nlp_artifacts))]
        return list(EntityRecognizer.remove_duplicates(results))


def _result(recognizer: Any, start: int, end: int, score: float, pattern: str = "") -> Any:
    return RecognizerResult(
        entity_type=recognizer.supported_entities[0],
        start=start,
        end=end,
        score=score,
        analysis_explanation=AnalysisExplanation(recognizer=recognizer.name, original_score=score, pattern_name=pattern),
        recognition_metadata={RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id},
    )


class RegionalPhones(LocalRecognizer):
    """Our finder of phone numbers as a recognizer; it looks at context words itself, to leave most numbers alone."""

    def __init__(self, config: RedactionConfig) -> None:
        self._phones = Phones(config.presidio.regions(), threshold=config.presidio.score_threshold)
        super().__init__(supported_entities=["PHONE_NUMBER"], name="RegionalPhoneRecognizer", context=list(PHONE_WORDS))

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        numbers = self._phones.find(text, key_words_of(nlp_artifacts))
        results = [_result(self, start, end, score, "phonenumbers") for start, end, score in numbers]
        return list(EntityRecognizer.remove_duplicates(results))


class SsnWithSamples(UsSsnRecognizer):
    """Upstream never reports the numbers that documentation uses; a reader cannot tell them from a real one, so they are taken out."""

    _SAMPLES: Final = re.compile(r"123-45-6789|987-65-432\d|078-05-1120")
    _NUMBERS: Final = (
        Pattern("SSN5 (medium)", r"\b([0-9]{3})[-.]([0-9]{2})[-.]([0-9]{4})\b", 0.5),
        Pattern("SSN6 (medium)", r"(?<![0-9] )\b([0-9]{3}) ([0-9]{2}) ([0-9]{4})\b(?! [0-9])", 0.5),  # no part of a row of numbers
        Pattern("SSN7 (very weak)", r"\b([0-9]{3})[- .]([0-9]{2})[- .]([0-9]{4})\b", 0.05),
    )

    def __init__(self) -> None:
        patterns = [*(each for each in UsSsnRecognizer.PATTERNS if each.name != "SSN5 (medium)"), *self._NUMBERS]
        super().__init__(patterns=patterns, name="UsSsnRecognizer")

    def invalidate_result(self, pattern_text: str) -> bool:
        return not self._SAMPLES.fullmatch(pattern_text) and bool(super().invalidate_result(pattern_text))


def _unless_wrong(validate: Callable[[str], bool | None], pattern_text: str) -> bool | None:
    """Return False for a wrong checksum; digits of scripts that Python does not know yet have no value, so there the words decide."""
    try:
        return None if validate(pattern_text) else False
    except ValueError:
        return None


class ContextualNhs(NhsRecognizer):
    """One ten-digit number in eleven has a valid checksum, so the checksum alone proves nothing: a context word must stand by."""

    needs_words = True

    def __init__(self) -> None:
        super().__init__(patterns=[Pattern("NHS", NhsRecognizer.PATTERNS[0].regex, 0.2)], context=list(NHS_WORDS), name="NhsRecognizer")

    def validate_result(self, pattern_text: str) -> bool | None:  # type: ignore[override]
        return _unless_wrong(super().validate_result, pattern_text)


class ContextualMedicalLicense(MedicalLicenseRecognizer):
    """Upstream's pattern also matches inside hexadecimal ids; here it is a whole word beside a context word."""

    needs_words = True

    def __init__(self) -> None:
        pattern = Pattern("USA DEA Certificate Number", r"\b[abcdefghjklmprstuxABCDEFGHJKLMPRSTUX][a-zA-Z9]\d{7}\b", 0.2)
        super().__init__(patterns=[pattern], context=list(MEDICAL_WORDS), name="MedicalLicenseRecognizer")

    def validate_result(self, pattern_text: str) -> bool | None:  # type: ignore[override]
        return _unless_wrong(super().validate_result, pattern_text)


class CryptoInCapitals(CryptoRecognizer):
    """Upstream does not validate addresses in capitals, in which QR codes hold them (BIP 173)."""

    def validate_result(self, pattern_text: str) -> bool:
        return bool(super().validate_result(pattern_text.lower() if pattern_text.startswith("BC1") else pattern_text))


class GroupedLicenses(UsLicenseRecognizer):
    """Upstream knows no licence that is written in groups, as half of the states print them; theirs and these need a context word."""

    _GROUPED: Final = (
        Pattern("Driver License - groups (weak)", r"(?<![\w.-])[A-Z]{0,2} ?[0-9]{1,5}(?:[- ][0-9]{1,5}){1,5}(?![\w-])", 0.3),
        Pattern("Driver License - Washington (weak)", r"(?<![\w+/=-])[A-Z][A-Z*]{1,6}[A-Z0-9*]{5,10}(?![\w+/=-])", 0.3),
    )
    _DATE: Final = re.compile(r"(?:19|20)\d\d-\d\d?-\d\d?|\d\d?-\d\d?-(?:19|20)\d\d")
    _LEAST_CHARS: Final = 5
    _LEAST_DIGITS: Final = 6
    _WASHINGTON_CHARS: Final = 12

    def __init__(self) -> None:
        super().__init__(patterns=[*UsLicenseRecognizer.PATTERNS, *self._GROUPED], context=list(LICENSE_WORDS), name="UsLicenseRecognizer")

    def invalidate_result(self, pattern_text: str) -> bool | None:
        if pattern_text[:3].isalpha():
            return len(pattern_text) != self._WASHINGTON_CHARS or pattern_text.isalpha()
        if not re.search("[- ]", pattern_text):
            return len(pattern_text) < self._LEAST_CHARS
        return sum(map(str.isdigit, pattern_text)) < self._LEAST_DIGITS or self._DATE.fullmatch(pattern_text) is not None


class SecretRecognizer(PatternRecognizer):
    """One of our credential rules as a recognizer."""

    def __init__(self, rule: SecretRule) -> None:
        self._rule = rule
        super().__init__(
            supported_entity=rule.entity,
            name="SecretRecognizer",
            patterns=[Pattern(rule.name, rule.expression, rule.score)],
            context=list(rule.context),
            global_regex_flags=0,
        )

    def invalidate_result(self, pattern_text: str) -> bool | None:
        return None if self._rule.accept is None else not self._rule.accept(pattern_text)
