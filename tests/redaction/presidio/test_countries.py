"""Recognizers of countries: upstream's, complete, found beside their words, and silent about telemetry."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import PatternRecognizer
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import RecognizerListLoader

from benchmarks.stock import Stock, places
from redaction.policy import RedactionConfig
from redaction.policy_defaults import COUNTRY_ENTITIES
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.country_words import CERTAIN, FEW_DIGITS, WORDS
from redaction.presidio.detectors import _ENTITIES
from tests.redaction.conftest import CACHE
from tests.redaction.presidio.country_examples import EXAMPLES
from tests.redaction.presidio.telemetry_tokens import tokens

EVERY_COUNTRY = RedactionConfig.model_validate({"presidio": {"supported_countries": list(COUNTRY_ENTITIES)}, "secrets": {"enabled": False}})
SOME_COUNTRIES = RedactionConfig.model_validate({"presidio": {"supported_countries": ["de", "kr", "uk"]}, "secrets": {"enabled": False}})
TOKENS_OF_EACH_KIND = 600


@pytest.fixture(scope="module")
def everywhere() -> Analyzer:
    """The recognizers of all countries."""
    return Analyzer(EVERY_COUNTRY, cache_folder=CACHE)


def found(analyzer: Analyzer, text: str, *context: str) -> set[tuple[str, str]]:
    """Return (entity, matched text)."""
    return {(each.entity, text[each.start : each.end]) for each in analyzer.find(text, context)}


def test_the_table_of_the_policy_is_what_presidio_has() -> None:
    """The policy does not import Presidio; an upgrade that brings or takes recognizers is noticed here."""
    offered: dict[str, set[str]] = {"fr": {"FR_NIR"}}  # ours
    for kind in RecognizerListLoader.get_all_existing_recognizers(PatternRecognizer):
        if kind.COUNTRY_CODE and kind.__module__.startswith("presidio_analyzer."):
            offered.setdefault(kind.COUNTRY_CODE, set()).update(kind().supported_entities)
    assert {code: set(entities) for code, entities in COUNTRY_ENTITIES.items()} == offered


def test_every_table_names_entities_that_exist() -> None:
    """No words for what nobody looks for, and an example for everything."""
    of_countries = {entity for entities in COUNTRY_ENTITIES.values() for entity in entities} - _ENTITIES.keys()
    assert WORDS.keys() | CERTAIN | FEW_DIGITS <= of_countries
    assert EXAMPLES.keys() == of_countries
    assert not CERTAIN & FEW_DIGITS


@pytest.mark.parametrize("entity", sorted(EXAMPLES))
def test_a_number_is_found_beside_any_of_its_words_and_under_a_key(everywhere: Analyzer, entity: str) -> None:
    """Also in capitals, and when characters on which the engines disagree stand by; without a word only what is certain."""
    number = EXAMPLES[entity]
    detector = next(each for each in everywhere.detectors if entity in each.recognizer.supported_entities)
    for word in detector.recognizer.context:
        assert (entity, number) in found(everywhere, f"my {word}: {number}, thank you"), word
        if word.upper().lower() == word.lower():  # not so for the Turkish ı
            assert (entity, number) in found(everywhere, f"\U00011f50 {word.upper()} {number}"), word
    key = re.findall(r"[^\W_]+", detector.recognizer.context[0].lower())
    assert (entity, number) in found(everywhere, number, *key)
    assert (entity in {name for name, _ in found(everywhere, f"see {number} there")}) == (entity in CERTAIN)


def test_what_is_certain_counts_in_capitals_and_as_a_whole_word(everywhere: Analyzer) -> None:
    """Parts of longer ids, and hexadecimal ids, are nobody's number."""
    for entity in CERTAIN:
        number = EXAMPLES[entity]
        assert entity not in {name for name, _ in found(everywhere, f"id {number.lower()}")}
        assert entity not in {name for name, _ in found(everywhere, f"id {number}A7 7A{number}")}


def test_telemetry_is_nobodys_number(everywhere: Analyzer) -> None:
    """At most one false positive in 10,000 tokens for each country, and for the phone numbers of all of them."""
    without = Analyzer(RedactionConfig.model_validate({"secrets": {"enabled": False}}), cache_folder=CACHE)
    texts = list(tokens(random.Random(7), TOKENS_OF_EACH_KIND))
    country_of = {entity: code for code, entities in COUNTRY_ENTITIES.items() for entity in entities}
    wrong = Counter(
        country_of.get(each.entity, each.entity) for text in texts for each in set(everywhere.find(text, ())) - set(without.find(text, ()))
    )
    assert len(texts) > 10_000
    assert all(count <= len(texts) / 10_000 for count in wrong.values()), wrong


def test_no_recognizer_of_a_country_looks_at_every_text(everywhere: Analyzer) -> None:
    """A policy with countries costs ordinary texts nothing."""
    assert everywhere.gate.candidates("The order was shipped yesterday, step 12 of 30 took 0.25 s", ()) == 0


@pytest.fixture(scope="module")
def fast_and_stock() -> tuple[Analyzer, Stock]:
    """The fast path and the oracle, for a handful of countries."""
    return Analyzer(SOME_COUNTRIES, cache_folder=CACHE), Stock(SOME_COUNTRIES)


NUMBERS = [EXAMPLES[each] for code in ("de", "kr", "uk") for each in COUNTRY_ENTITIES[code] if each in EXAMPLES]
WORDS_BEFORE = [
    "Steuernummer ",
    "plz",
    " PLZ: ",
    "Führerschein-Nr. ",
    "주민등록번호: ",
    "national insurance ",
    "postcode ",
    "number plate ",
]
PIECES = st.sampled_from([*NUMBERS, *WORDS_BEFORE, "HRB ", "DE", "12", " ", "-", "\u00a0", "２", "\U00011f50", "İ", "AB"])


@settings(max_examples=150, deadline=None)
@given(text=st.lists(PIECES | st.text(max_size=5), max_size=7).map("".join), context=st.sampled_from([(), ("plz",), ("postal", "code")]))
def test_the_fast_path_finds_what_stock_presidio_finds(fast_and_stock: tuple[Analyzer, Stock], text: str, context: tuple[str, ...]) -> None:
    """The identity holds with countries, too."""
    fast, stock = fast_and_stock
    assert places(fast.find(text, context)) == places(stock.find(text, context))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_match_has_the_shape_that_is_looked_for(everywhere: Analyzer, data: st.DataObject) -> None:
    """Recognizers that need words share two shapes; whatever their own patterns match contains it."""
    index = data.draw(
        st.sampled_from([i for i, each in enumerate(everywhere.detectors) if each.recognizer.supported_entities[0] in EXAMPLES])
    )
    recognizer = everywhere.detectors[index].recognizer
    expression = data.draw(st.sampled_from([pattern.regex for pattern in recognizer.patterns]))
    inner = re.fullmatch(r"\(\?<!\[0-9A-Za-z\]\)\(\?:(.*)\)\(\?!\[0-9A-Za-z\]\)", expression, re.DOTALL)
    assert inner is not None
    try:
        compiled = re.compile(inner.group(1))
    except re.error:
        return  # a look-behind of variable width, which only the `regex` module reads
    text = f"{recognizer.context[0]} {data.draw(st.from_regex(compiled, fullmatch=True))}"
    if recognizer.analyze(text, recognizer.supported_entities, None):
        assert everywhere.gate.candidates(text, ()) >> index & 1, recognizer.name


def test_countries_bring_their_phone_numbers() -> None:
    """Formatted as there; in pieces of ids, addresses of machines and dated numbers there is no phone."""
    analyzer = Analyzer(SOME_COUNTRIES, cache_folder=CACHE)
    for number in ("030/901820-11", "0151 12345678", "020 7946 0958", "(020) 7946 0958", "02-312-3456", "+49 30 901820"):
        assert ("PHONE_NUMBER", number) in found(analyzer, f"at {number} today"), number
    for text in ("host 10.20.30.40", "order 2023-870606", "id 29c1c512-2ab2-0151-1234-ad58136f6108"):
        assert found(analyzer, text) == set(), text


def test_a_country_entity_needs_its_country() -> None:
    """A list is exact, and says what is missing."""
    config = RedactionConfig.model_validate({"presidio": {"supported_countries": ["de"], "entities": ["DE_TAX_ID"]}})
    assert config.presidio.entity_names() == ("DE_TAX_ID",)
    with pytest.raises(ValueError, match=r"DE_TAX_ID needs supported_countries: \[de\]"):
        RedactionConfig.model_validate({"presidio": {"entities": ["DE_TAX_ID"]}})
    with pytest.raises(ValueError, match="supported_countries: de has no effect on these entities"):
        RedactionConfig.model_validate({"presidio": {"supported_countries": ["de"], "entities": ["URL"]}})
    with pytest.raises(ValueError, match="unknown country 'gb'; known are au, ca, de"):
        RedactionConfig.model_validate({"presidio": {"supported_countries": ["gb"]}})
    assert RedactionConfig.model_validate({"presidio": {"supported_countries": ["UK"]}}).presidio.regions() == ("US", "GB")
