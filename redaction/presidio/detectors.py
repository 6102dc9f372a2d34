"""Which recognizers a policy asks for, and when each can find something: the one list of everything that is looked for.

A recognizer is one entry in `_ENTITIES`, or one rule in `redaction.secrets`. Conditions of pattern recognizers are their patterns
themselves, unless a quicker shape is known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import (
    DateRecognizer,
    IbanRecognizer,
    IpRecognizer,
    MacAddressRecognizer,
    UrlRecognizer,
    UsBankRecognizer,
    UsItinRecognizer,
    UsPassportRecognizer,
    UuidRecognizer,
)

from redaction import cards, encodings, ibans, names, pairs
from redaction.candidates import (
    ACCOUNT_WORDS,
    BARE_SCORE,
    CARD_SHAPES,
    CRYPTO_SHAPES,
    EMAIL_SHAPE,
    PASSPORT_WORDS,
    PHONE_SHAPE,
)
from redaction.conditions import Condition, not_lost
from redaction.context import WORD
from redaction.emails import Emails
from redaction.ibans import IBAN_SHAPE
from redaction.policy import OPTIONAL_ENTITIES, RedactionConfig
from redaction.presidio.countries import country_recognizers, country_shape
from redaction.presidio.custom import file_recognizers
from redaction.presidio.models import LETTERS, model_recognizers
from redaction.presidio.recognizers import (
    ContextualMedicalLicense,
    ContextualNhs,
    CryptoInCapitals,
    GroupedLicenses,
    RegionalPhones,
    ScoredSpans,
    SecretRecognizer,
    SpanRecognizer,
    SsnWithSamples,
)
from redaction.secrets import KEY_TAIL_SHAPE, PRIVATE_KEY, RULES, SecretRule, key_tails
from redaction.shapes import apart, quick

BLOCKED_VALUE: Final = "BLOCKED_VALUE"

_ANALYSES_OF_PATTERNS: Final = (PatternRecognizer.analyze, IbanRecognizer.analyze)
"""Those that find nothing but what a pattern of the recognizer matches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A recognizer, when it can find something, and whether what it finds may be longer than a chunk."""

    recognizer: Any
    condition: Condition
    long: bool = False


def detectors(config: RedactionConfig) -> tuple[Detector, ...]:
    """Return everything that the policy looks for. Raises `RedactionError` when a file or a model of the policy cannot be used."""
    kinds = (_personal, _names, _countries, _files, _model, _secrets, _blocked)
    found = tuple(each for kind in kinds for each in kind(config))
    for each in found:
        each.recognizer.supported_language = config.presidio.language  # every recognizer looks at every text
    return found


def conditions(config: RedactionConfig, found: Sequence[Detector]) -> list[Condition]:
    """Return the conditions of the detectors, in their order, and behind them the hints.

    These are what a text contains in which something is encoded, and what keys in it may tell of other text than JSON.
    """
    encoded = Condition(expressions=tuple((shape, 0) for shape in encodings.SHAPES), hint="encoded")
    told = Condition(expressions=tuple((shape, 0) for shape in pairs.SHAPES_IN_JSON), hint="told")
    return [*(replace(each.condition, long=each.long) for each in found), *([encoded] if config.secrets.encoded else ()), told]


_ENTITIES: Final[dict[str, Callable[[RedactionConfig], Any]]] = {
    "CREDIT_CARD": lambda _: SpanRecognizer("CREDIT_CARD", "CreditCardRecognizer", cards.find),
    "CRYPTO": lambda _: CryptoInCapitals(),
    "DATE_TIME": lambda _: DateRecognizer(),
    "EMAIL_ADDRESS": lambda _: SpanRecognizer("EMAIL_ADDRESS", "EmailRecognizer", Emails().find),
    "IBAN_CODE": lambda _: SpanRecognizer("IBAN_CODE", "IbanRecognizer", ibans.find),
    "IP_ADDRESS": lambda _: IpRecognizer(),
    "MAC_ADDRESS": lambda _: MacAddressRecognizer(),
    "MEDICAL_LICENSE": lambda _: ContextualMedicalLicense(),
    "PHONE_NUMBER": RegionalPhones,
    "UK_NHS": lambda _: ContextualNhs(),
    "URL": lambda _: UrlRecognizer(),
    "US_BANK_NUMBER": lambda _: UsBankRecognizer(context=list(ACCOUNT_WORDS)),
    "US_DRIVER_LICENSE": lambda _: GroupedLicenses(),
    "US_ITIN": lambda _: UsItinRecognizer(),
    "US_PASSPORT": lambda _: UsPassportRecognizer(context=list(PASSPORT_WORDS)),
    "US_SSN": lambda _: SsnWithSamples(),
    "UUID": lambda _: UuidRecognizer(),
}
"""Recognizers by entity; where context words are given, upstream's are everyday words (`check`, `us`, `license`) that flag any number."""


def _personal(config: RedactionConfig) -> Iterator[Detector]:
    for entity in config.presidio.entity_names():
        if entity not in _ENTITIES:
            continue
        recognizer = _ENTITIES[entity](config)
        in_identifiers = entity not in OPTIONAL_ENTITIES
        yield Detector(recognizer=recognizer, condition=_condition(recognizer, entity, config, in_identifiers=in_identifiers))


def _names(config: RedactionConfig) -> Iterator[Detector]:
    if config.names.enabled:
        recognizer = ScoredSpans("PERSON", "NameRecognizer", names.find)
        condition = Condition(expressions=tuple((shape, 0) for shape in names.SHAPES), in_identifiers=False)
        yield Detector(recognizer=recognizer, condition=condition)


def _countries(config: RedactionConfig) -> Iterator[Detector]:
    for recognizer in country_recognizers(frozenset(config.presidio.entity_names()) - _ENTITIES.keys()):
        condition = pattern_condition(recognizer, config.presidio.score_threshold)
        shape = country_shape(recognizer.supported_entities[0])
        if shape is not None and not condition.expressions:
            condition = replace(condition, worded=((shape, 0),))
        yield Detector(recognizer=recognizer, condition=condition)


def _files(config: RedactionConfig) -> Iterator[Detector]:
    for recognizer in file_recognizers(config.presidio):
        yield Detector(recognizer=recognizer, condition=not_lost(pattern_condition(recognizer, config.presidio.score_threshold)))


def _model(config: RedactionConfig) -> Iterator[Detector]:
    for recognizer in model_recognizers(config.presidio):
        yield Detector(recognizer=recognizer, condition=Condition(expressions=((LETTERS, 0),), in_identifiers=False))


def _condition(recognizer: Any, entity: str, config: RedactionConfig, *, in_identifiers: bool) -> Condition:
    match entity:
        case "CREDIT_CARD":
            return Condition(expressions=tuple((shape, 0) for shape in CARD_SHAPES), check="cards")
        case "IBAN_CODE":
            return Condition(expressions=((IBAN_SHAPE, 0),), check="ibans")
        case "EMAIL_ADDRESS":
            return Condition(expressions=((EMAIL_SHAPE, 0),))
        case "PHONE_NUMBER":
            return Condition(expressions=((PHONE_SHAPE, 0),), check="phones" if config.presidio.score_threshold > BARE_SCORE else "")
        case "CRYPTO":
            return Condition(expressions=tuple((shape, 0) for shape in CRYPTO_SHAPES), check="crypto")
    return pattern_condition(recognizer, config.presidio.score_threshold, in_identifiers=in_identifiers)


def pattern_condition(recognizer: Any, threshold: float, *, in_identifiers: bool = True) -> Condition:
    """Return the condition of any recognizer: its patterns; without patterns, or with code of its own around them, it always looks."""
    if not isinstance(recognizer, PatternRecognizer) or type(recognizer).analyze not in _ANALYSES_OF_PATTERNS:
        return Condition(in_identifiers=in_identifiers)
    expressions = _expressions(recognizer)
    never_certain = type(recognizer).validate_result is PatternRecognizer.validate_result or getattr(recognizer, "needs_words", False)
    if not recognizer.context or not never_certain:
        return Condition(expressions=expressions, in_identifiers=in_identifiers)
    lowest = _lowest(recognizer, threshold)
    scored = list(zip(expressions, _scores(recognizer), strict=True))
    return Condition(
        expressions=tuple(expression for expression, score in scored if score >= lowest),
        worded=tuple(expression for expression, score in scored if score < lowest),
        words=tuple(each for word in recognizer.context if (each := " ".join(WORD.findall(word.lower())))),
        in_identifiers=in_identifiers,
    )


def _scores(recognizer: Any) -> list[float]:
    return [pattern.score for pattern in recognizer.patterns]


def _expressions(recognizer: Any) -> tuple[tuple[str, int], ...]:
    return tuple((pattern.regex, int(recognizer.global_regex_flags)) for pattern in recognizer.patterns)


def _lowest(recognizer: Any, threshold: float) -> float:
    """Return the threshold that a finding of this recognizer has to reach: the policy's, unless the recognizer has one of its own."""
    own: dict[str, float] = recognizer.score_thresholds
    return min((threshold, *own.values()))


def _secrets(config: RedactionConfig) -> Iterator[Detector]:
    if not config.secrets.enabled:
        return
    for rule in (each for each in RULES if each.name not in config.secrets.disabled_rules):
        yield Detector(recognizer=SecretRecognizer(rule), condition=_rule_condition(rule, config), long=rule.long)
    tails = SpanRecognizer(PRIVATE_KEY, "SecretRecognizer", key_tails)
    yield Detector(recognizer=tails, condition=Condition(expressions=((KEY_TAIL_SHAPE, 0),)), long=True)


def _rule_condition(rule: SecretRule, config: RedactionConfig) -> Condition:
    shapes = tuple((each, 0) for each in apart(quick(rule.shape)))
    if rule.context and rule.score < config.presidio.score_threshold:
        return Condition(worded=shapes, words=rule.context)
    return Condition(expressions=shapes)


def _blocked(config: RedactionConfig) -> Iterator[Detector]:
    if config.blocked_values:
        patterns = [Pattern(f"blocked_values[{index}]", value, 1.0) for index, value in enumerate(config.blocked_values)]
        recognizer = PatternRecognizer(BLOCKED_VALUE, name="policy", patterns=patterns, global_regex_flags=0)
        yield Detector(recognizer=recognizer, condition=Condition(expressions=_expressions(recognizer), in_identifiers=False))
