"""Presidio behind one small door: the only module that imports it.

Presidio is used without a language model: its pattern recognizers with their checksums, and context words, which here are whole
words among the five before a match or in the attribute's key. Three things are closed that upstream leaves open: the public-suffix
list is the bundled snapshot and never the network; a pattern whose time runs out withholds the text instead of being skipped; and
nothing is ever logged, because upstream logs matched text.

Importing this module costs about a second and 100 MB, so only the scanner process and `clean_now` do.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import phonenumbers
from presidio_analyzer import (
    AnalysisExplanation,
    AnalyzerEngine,
    EntityRecognizer,
    LocalRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    CryptoRecognizer,
    DateRecognizer,
    IbanRecognizer,
    IpRecognizer,
    MacAddressRecognizer,
    MedicalLicenseRecognizer,
    NhsRecognizer,
    UrlRecognizer,
    UsBankRecognizer,
    UsItinRecognizer,
    UsLicenseRecognizer,
    UsPassportRecognizer,
    UsSsnRecognizer,
    UuidRecognizer,
)

from redaction.budget import BudgetExceeded
from redaction.emails import Emails
from redaction.expressions import compiled
from redaction.findings import Finding, Findings
from redaction.policy import RedactionConfig
from redaction.prefilter import PHONE_CANDIDATE
from redaction.secrets import RULES, SecretRule

_CONTEXT_WORDS: Final = 5
_CONTEXT_CHARS: Final = 120
_WORDS: Final = re.compile(r"[^\W_]+")


class _Silence(logging.Filter):
    """Drops every record of Presidio's, and turns the one that reports a skipped pattern into a withheld text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None and issubclass(record.exc_info[0], TimeoutError):
            raise BudgetExceeded
        return False


class _NearbyWords(ContextAwareEnhancer):
    """Raises a score by upstream's amounts when a context word of the recognizer stands before the match or in the key."""

    def __init__(self) -> None:
        super().__init__(
            context_similarity_factor=0.35,
            min_score_with_context_similarity=0.4,
            context_prefix_count=_CONTEXT_WORDS,
            context_suffix_count=0,
        )

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[Any],
        nlp_artifacts: Any,  # noqa: ARG002
        recognizers: list[Any],
        context: list[str] | None = None,
    ) -> list[Any]:
        by_id = {recognizer.id: recognizer for recognizer in recognizers}
        key_words = " ".join(context or ())
        for result in raw_results:
            recognizer = by_id[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            if not recognizer.context:
                continue
            before = _WORDS.findall(text[max(0, result.start - _CONTEXT_CHARS) : result.start].lower())[-_CONTEXT_WORDS:]
            surroundings = f" {' '.join(before)} {key_words} "
            word = next((word for word in recognizer.context if f" {' '.join(_WORDS.findall(word.lower()))} " in surroundings), None)
            if word is not None:
                raised = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
                result.score = min(raised, self.MAX_SCORE)
                result.analysis_explanation.set_supportive_context_word(word)
                result.analysis_explanation.set_improved_score(result.score)
        return raw_results


class _SpanRecognizer(LocalRecognizer):
    """A finder of ours as a recognizer: `find` yields what is certain as (start, end)."""

    def __init__(self, entity: str, name: str, find: Callable[[str], Iterable[tuple[int, int]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], name=name)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        return [_result(self, start, end, 1.0) for start, end in self._find(text)]


def _result(recognizer: Any, start: int, end: int, score: float, pattern: str = "") -> Any:
    return RecognizerResult(
        entity_type=recognizer.supported_entities[0],
        start=start,
        end=end,
        score=score,
        analysis_explanation=AnalysisExplanation(recognizer=recognizer.name, original_score=score, pattern_name=pattern),
        recognition_metadata={RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id},
    )


_PHONE_CONTEXT: Final = [
    *("phone", "telephone", "tel", "cell", "cellphone", "mobile", "call", "dial", "fax", "sms", "whatsapp", "text", "reach", "contact"),
    *("number", "ring", "hotline"),
]


class RegionalPhoneRecognizer(LocalRecognizer):
    """Phone numbers of a few regions, and international ones of all.

    Only stretches with seven digits or more in a phone's punctuation are given to phonenumbers, which is slow. A number with a
    country code counts when it is possible, a formatted national one when it is valid or has North America's 3-3-4 shape; bare
    digits are more often an order or a timestamp, and count only beside a context word.
    """

    _CANDIDATE: Final = compiled(PHONE_CANDIDATE)
    _NORTH_AMERICAN: Final = re.compile(r"(?<!\d)(?:\+?1[-. ]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d)")
    _GROUP: Final = re.compile(r"\d+")
    _EXTENSION: Final = re.compile(r",?\s?(?:x|ext\.?|extension)\s?\d{1,6}(?!\w)", re.IGNORECASE)
    _BARE_SCORE: Final = 0.2

    def __init__(self, regions: Sequence[str]) -> None:
        self._regions = tuple(regions)
        super().__init__(
            supported_entities=["PHONE_NUMBER"],
            name="RegionalPhoneRecognizer",
            context=_PHONE_CONTEXT,
        )

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        results = [_result(self, start, end, score, "phonenumbers") for start, end, score in self._numbers(text)]
        return list(EntityRecognizer.remove_duplicates(results))

    def _numbers(self, text: str) -> Iterator[tuple[int, int, float]]:
        for candidate in self._CANDIDATE.finditer(text):
            start, shape = candidate.start(), candidate.group()
            if shape[0] in "+＋" and (length := self._international(shape)):
                extension = self._EXTENSION.match(text, start + length)
                yield start, extension.end() if extension else start + length, 0.6
            elif american := list(self._NORTH_AMERICAN.finditer(shape)):
                yield from ((start + each.start(), start + each.end(), 0.5) for each in american)
            else:
                yield from self._national(text, candidate, self._BARE_SCORE if shape.isdigit() else 0.4)

    def _international(self, shape: str) -> int:
        """Return the length of the longest possible number that `shape` begins with, cut between groups of digits; 0 for none."""
        for end in sorted((group.end() for group in self._GROUP.finditer(shape)), reverse=True):
            try:
                if phonenumbers.is_possible_number(phonenumbers.parse(shape[:end], None)):
                    return end
            except phonenumbers.NumberParseException:
                continue
        return 0

    def _national(self, text: str, candidate: Any, score: float) -> Iterator[tuple[int, int, float]]:
        offset = max(0, candidate.start() - 1)  # the matcher looks at the character before
        window = text[offset : candidate.end() + 16]  # and takes an extension after
        for region in self._regions:
            for match in phonenumbers.PhoneNumberMatcher(window, region, leniency=phonenumbers.Leniency.VALID, max_tries=32):
                yield offset + match.start, offset + match.end, score


class _SsnWithSamples(UsSsnRecognizer):
    """Upstream never reports the numbers that documentation uses; a reader cannot tell them from a real one, so they are taken out."""

    _SAMPLES: Final = re.compile(r"123-45-6789|987-65-432\d|078-05-1120")

    def invalidate_result(self, pattern_text: str) -> bool:
        return not self._SAMPLES.fullmatch(pattern_text) and bool(super().invalidate_result(pattern_text))


class _ContextualNhs(NhsRecognizer):
    """One ten-digit number in eleven has a valid checksum, so the checksum alone proves nothing: a context word must stand by."""

    def __init__(self) -> None:
        super().__init__(patterns=[Pattern("NHS", NhsRecognizer.PATTERNS[0].regex, 0.2)], name="NhsRecognizer")

    def validate_result(self, pattern_text: str) -> bool | None:  # type: ignore[override]
        return None if super().validate_result(pattern_text) else False


class _ContextualMedicalLicense(MedicalLicenseRecognizer):
    """Upstream's pattern also matches inside hexadecimal ids; here it is a whole word beside a context word."""

    def __init__(self) -> None:
        pattern = Pattern("USA DEA Certificate Number", r"\b[abcdefghjklmprstuxABCDEFGHJKLMPRSTUX][a-zA-Z9]\d{7}\b", 0.2)
        super().__init__(
            patterns=[pattern], context=["medical", "certificate", "dea", "prescriber", "license"], name="MedicalLicenseRecognizer"
        )

    def validate_result(self, pattern_text: str) -> bool | None:  # type: ignore[override]
        return None if super().validate_result(pattern_text) else False


class _SecretRecognizer(PatternRecognizer):
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


_LICENSE_CONTEXT: Final = [
    "driver license",
    "drivers license",
    "driver s license",
    "driving license",
    "driving licence",
    "driver licence",
    "dl",
]
_RECOGNIZERS: Final[dict[str, Callable[[RedactionConfig], Any]]] = {
    "CREDIT_CARD": lambda _: CreditCardRecognizer(),
    "CRYPTO": lambda _: CryptoRecognizer(),
    "DATE_TIME": lambda _: DateRecognizer(),
    "EMAIL_ADDRESS": lambda _: _SpanRecognizer("EMAIL_ADDRESS", "EmailRecognizer", Emails().find),
    "IBAN_CODE": lambda _: IbanRecognizer(),
    "IP_ADDRESS": lambda _: IpRecognizer(),
    "MAC_ADDRESS": lambda _: MacAddressRecognizer(),
    "MEDICAL_LICENSE": lambda _: _ContextualMedicalLicense(),
    "PHONE_NUMBER": lambda config: RegionalPhoneRecognizer(config.presidio.phone_regions),
    "UK_NHS": lambda _: _ContextualNhs(),
    "URL": lambda _: UrlRecognizer(),
    "US_BANK_NUMBER": lambda _: UsBankRecognizer(context=["account", "acct", "bank", "debit", "checking", "savings"]),
    "US_DRIVER_LICENSE": lambda _: UsLicenseRecognizer(context=_LICENSE_CONTEXT),
    "US_ITIN": lambda _: UsItinRecognizer(),
    "US_PASSPORT": lambda _: UsPassportRecognizer(context=["passport", "passports"]),
    "US_SSN": lambda _: _SsnWithSamples(),
    "UUID": lambda _: UuidRecognizer(),
}
"""Recognizers by entity; where context words are given, upstream's are everyday words (`check`, `us`, `license`) that flag any number."""


class Analyzer:
    """Presidio's engine with the policy's recognizers. Not thread-safe for the first call; later calls are."""

    def __init__(self, config: RedactionConfig) -> None:
        _silence()
        language = config.presidio.language
        recognizers = [_RECOGNIZERS[entity](config) for entity in config.presidio.entity_names()]
        if config.secrets.enabled:
            recognizers += [_SecretRecognizer(rule) for rule in RULES]
        if config.blocked_values:
            patterns = [Pattern(f"blocked_values[{index}]", value, 1.0) for index, value in enumerate(config.blocked_values)]
            recognizers.append(PatternRecognizer("BLOCKED_VALUE", name="policy", patterns=patterns, global_regex_flags=0))
        self._language = language
        self._engine = _engine(recognizers, config) if recognizers else None
        whole = [each for each in recognizers if "PRIVATE_KEY" in each.supported_entities]
        self._whole = _engine(whole, config) if whole else None
        tokens: Any = ()  # nothing reads them: context words come from the text itself
        self._nothing = NlpArtifacts(entities=[], tokens=tokens, tokens_indices=[], lemmas=[], nlp_engine=None, language=language)

    def find(self, text: str, context: Sequence[str]) -> Findings:
        """Return what every recognizer finds; raises whatever a recognizer raises."""
        return self._run(self._engine, text, context)

    def find_long(self, text: str) -> Findings:
        """Return entities that can be longer than a chunk; linear in the text."""
        return self._run(self._whole, text, ())

    def _run(self, engine: Any, text: str, context: Sequence[str]) -> Findings:
        if engine is None:
            return ()
        results = engine.analyze(
            text=text, language=self._language, context=list(context), nlp_artifacts=self._nothing, return_decision_process=True
        )
        return tuple(sorted(_finding(result) for result in results))


def _engine(recognizers: list[Any], config: RedactionConfig) -> Any:
    language = config.presidio.language
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=[language])
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=NoOpNlpEngine([{"lang_code": language, "model_name": "no_op"}]),
        supported_languages=[language],
        default_score_threshold=config.presidio.score_threshold,
        context_aware_enhancer=_NearbyWords(),
    )


def _finding(result: Any) -> Finding:
    explanation = result.analysis_explanation
    pattern = f"/{explanation.pattern_name}" if explanation.pattern_name else ""
    return Finding(result.start, result.end, result.entity_type, round(result.score, 4), f"{explanation.recognizer}{pattern}")


def _silence() -> None:
    for name in ("presidio-analyzer", "decision_process"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, _Silence) for each in logger.filters):
            logger.addFilter(_Silence())
            logger.setLevel(logging.WARNING)
