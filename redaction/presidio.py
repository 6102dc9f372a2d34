"""Presidio behind one small door: the only module that imports it.

Presidio is used without a language model: its pattern recognizers with their checksums, and context words, which here are whole
words among the five before a match or in the attribute's key. Three things are closed that upstream leaves open: the public-suffix
list is the bundled snapshot and never the network; a pattern whose time runs out withholds the text instead of being skipped; and
nothing is ever logged, because upstream logs matched text.

Importing this module costs about a second and 100 MB, so only the scanner process and `clean_now` do.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

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

from redaction import cards
from redaction.budget import BudgetExceeded
from redaction.context import WORDS_BEFORE, context
from redaction.emails import Emails
from redaction.findings import Finding, Findings
from redaction.phones import Phones
from redaction.policy import RedactionConfig
from redaction.prefilter import ACCOUNT_WORDS, LICENSE_WORDS, MEDICAL_WORDS, NEEDS_WORDS, NHS_WORDS, PASSPORT_WORDS, PHONE_WORDS, searched
from redaction.secrets import KEY_TAIL_SHAPE, PRIVATE_KEY, RULES, SecretRule, key_tails


class _Silence(logging.Filter):
    """Drops every record of Presidio's, and turns the one that reports a skipped pattern into a withheld text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[0] is not None and issubclass(record.exc_info[0], TimeoutError):
            raise BudgetExceeded
        return False


_UNLESS: Final = {"US_BANK_NUMBER": ("balance", "amount", "total")}
"""Words that say that a number beside a context word is something else: the balance of an account is not its number."""


class _NearbyWords(ContextAwareEnhancer):
    """Raises a score by upstream's amounts when a context word of the recognizer stands before the match or in the key."""

    def __init__(self, recognizers: Iterable[Any]) -> None:
        super().__init__(
            context_similarity_factor=0.35,
            min_score_with_context_similarity=0.4,
            context_prefix_count=WORDS_BEFORE,
            context_suffix_count=0,
        )
        self._contexts = {each.id: context(each.context or (), _UNLESS.get(each.supported_entities[0], ())) for each in recognizers}

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[Any],
        nlp_artifacts: Any,  # noqa: ARG002
        recognizers: list[Any],
        context: list[str] | None = None,
    ) -> list[Any]:
        by_id = {recognizer.id: recognizer for recognizer in recognizers}
        for result in raw_results:
            recognizer = by_id[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            word = self._contexts[recognizer.id].near(text, result.start, context or ())
            if word is not None:
                raised = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
                result.score = min(raised, self.MAX_SCORE)
                result.analysis_explanation.set_supportive_context_word(word)
                result.analysis_explanation.set_improved_score(result.score)
        return raw_results


class _SpanRecognizer(LocalRecognizer):
    """A finder of ours as a recognizer: `find`, given a text and the words of its key, yields what is certain as (start, end)."""

    def __init__(self, entity: str, name: str, find: Callable[[str, Sequence[str]], Iterable[tuple[int, int]]]) -> None:
        self._find = find
        super().__init__(supported_entities=[entity], name=name)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        return [_result(self, start, end, 1.0) for start, end in self._find(text, _key_words(nlp_artifacts))]


def _result(recognizer: Any, start: int, end: int, score: float, pattern: str = "") -> Any:
    return RecognizerResult(
        entity_type=recognizer.supported_entities[0],
        start=start,
        end=end,
        score=score,
        analysis_explanation=AnalysisExplanation(recognizer=recognizer.name, original_score=score, pattern_name=pattern),
        recognition_metadata={RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id},
    )


class _PhoneRecognizer(LocalRecognizer):
    """Our finder of phone numbers as a recognizer; it looks at context words itself, to leave most numbers alone."""

    def __init__(self, config: RedactionConfig) -> None:
        self._phones = Phones(config.presidio.phone_regions, threshold=config.presidio.score_threshold)
        super().__init__(supported_entities=["PHONE_NUMBER"], name="RegionalPhoneRecognizer", context=list(PHONE_WORDS))

    def load(self) -> None:
        """Nothing to load."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        numbers = self._phones.find(text, _key_words(nlp_artifacts))
        results = [_result(self, start, end, score, "phonenumbers") for start, end, score in numbers]
        return list(EntityRecognizer.remove_duplicates(results))


class _KeyWords(NlpArtifacts):
    """The words of the attribute key, on the way through Presidio to the recognizers that want them; no tokens: nothing reads them."""

    def __init__(self, key_words: Sequence[str], language: str) -> None:
        tokens: Any = ()
        super().__init__(entities=[], tokens=tokens, tokens_indices=[], lemmas=[], nlp_engine=None, language=language)
        self.key_words = tuple(key_words)


def _key_words(nlp_artifacts: Any) -> Sequence[str]:
    return nlp_artifacts.key_words if isinstance(nlp_artifacts, _KeyWords) else ()


class _SsnWithSamples(UsSsnRecognizer):
    """Upstream never reports the numbers that documentation uses; a reader cannot tell them from a real one, so they are taken out."""

    _SAMPLES: Final = re.compile(r"123-45-6789|987-65-432\d|078-05-1120")

    def invalidate_result(self, pattern_text: str) -> bool:
        return not self._SAMPLES.fullmatch(pattern_text) and bool(super().invalidate_result(pattern_text))


class _ContextualNhs(NhsRecognizer):
    """One ten-digit number in eleven has a valid checksum, so the checksum alone proves nothing: a context word must stand by."""

    def __init__(self) -> None:
        super().__init__(patterns=[Pattern("NHS", NhsRecognizer.PATTERNS[0].regex, 0.2)], context=list(NHS_WORDS), name="NhsRecognizer")

    def validate_result(self, pattern_text: str) -> bool | None:  # type: ignore[override]
        return None if super().validate_result(pattern_text) else False


class _ContextualMedicalLicense(MedicalLicenseRecognizer):
    """Upstream's pattern also matches inside hexadecimal ids; here it is a whole word beside a context word."""

    def __init__(self) -> None:
        pattern = Pattern("USA DEA Certificate Number", r"\b[abcdefghjklmprstuxABCDEFGHJKLMPRSTUX][a-zA-Z9]\d{7}\b", 0.2)
        super().__init__(patterns=[pattern], context=list(MEDICAL_WORDS), name="MedicalLicenseRecognizer")

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


_RECOGNIZERS: Final[dict[str, Callable[[RedactionConfig], Any]]] = {
    "CREDIT_CARD": lambda _: _SpanRecognizer("CREDIT_CARD", "CreditCardRecognizer", cards.find),
    "CRYPTO": lambda _: CryptoRecognizer(),
    "DATE_TIME": lambda _: DateRecognizer(),
    "EMAIL_ADDRESS": lambda _: _SpanRecognizer("EMAIL_ADDRESS", "EmailRecognizer", Emails().find),
    "IBAN_CODE": lambda _: IbanRecognizer(),
    "IP_ADDRESS": lambda _: IpRecognizer(),
    "MAC_ADDRESS": lambda _: MacAddressRecognizer(),
    "MEDICAL_LICENSE": lambda _: _ContextualMedicalLicense(),
    "PHONE_NUMBER": _PhoneRecognizer,
    "UK_NHS": lambda _: _ContextualNhs(),
    "URL": lambda _: UrlRecognizer(),
    "US_BANK_NUMBER": lambda _: UsBankRecognizer(context=list(ACCOUNT_WORDS)),
    "US_DRIVER_LICENSE": lambda _: UsLicenseRecognizer(context=list(LICENSE_WORDS)),
    "US_ITIN": lambda _: UsItinRecognizer(),
    "US_PASSPORT": lambda _: UsPassportRecognizer(context=list(PASSPORT_WORDS)),
    "US_SSN": lambda _: _SsnWithSamples(),
    "UUID": lambda _: UuidRecognizer(),
}
"""Recognizers by entity; where context words are given, upstream's are everyday words (`check`, `us`, `license`) that flag any number."""


def _recognizer(entity: str, config: RedactionConfig) -> Any:
    """Return an entity's recognizer; one that finds nothing without a context word does not look when there is none."""
    recognizer = _RECOGNIZERS[entity](config)
    score, words = NEEDS_WORDS.get(entity, (1.0, ()))
    if score < config.presidio.score_threshold:
        analyze, may_be_near = recognizer.analyze, searched(words)

        def analyze_beside_words(text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
            return list(analyze(text, entities, nlp_artifacts)) if may_be_near(text, _key_words(nlp_artifacts)) else []

        recognizer.analyze = analyze_beside_words
    return recognizer


_LONG_SHAPES: Final = [re.compile(shape, re.ASCII) for shape in (*(rule.shape for rule in RULES if rule.long), KEY_TAIL_SHAPE)]
"""What a text must contain to hold something longer than a chunk."""


class Analyzer:
    """Presidio's engine with the policy's recognizers. Not thread-safe for the first call; later calls are."""

    def __init__(self, config: RedactionConfig) -> None:
        _silence()
        language = config.presidio.language
        recognizers = [_recognizer(entity, config) for entity in config.presidio.entity_names()]
        whole: list[Any] = []
        if config.secrets.enabled:
            secrets: list[tuple[Any, bool]] = [(_SecretRecognizer(rule), rule.long) for rule in RULES]
            secrets.append((_SpanRecognizer(PRIVATE_KEY, "SecretRecognizer", key_tails), True))
            recognizers += [recognizer for recognizer, _ in secrets]
            whole = [recognizer for recognizer, long in secrets if long]
        if config.blocked_values:
            patterns = [Pattern(f"blocked_values[{index}]", value, 1.0) for index, value in enumerate(config.blocked_values)]
            recognizers.append(PatternRecognizer("BLOCKED_VALUE", name="policy", patterns=patterns, global_regex_flags=0))
        self._language = language
        self._engine = _engine(recognizers, config) if recognizers else None
        self._whole = _engine(whole, config) if whole else None

    def find(self, text: str, context: Sequence[str]) -> Findings:
        """Return what every recognizer finds; raises whatever a recognizer raises."""
        return self._run(self._engine, text, context)

    def find_long(self, text: str) -> Findings:
        """Return entities that can be longer than a chunk; linear in the text."""
        return self._run(self._whole, text, ()) if any(shape.search(text) for shape in _LONG_SHAPES) else ()

    def _run(self, engine: Any, text: str, context: Sequence[str]) -> Findings:
        if engine is None:
            return ()
        results = engine.analyze(
            text=text,
            language=self._language,
            context=list(context),
            nlp_artifacts=_KeyWords(context, self._language),
            return_decision_process=True,
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
        context_aware_enhancer=_NearbyWords(recognizers),
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
