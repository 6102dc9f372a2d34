"""Recognizers of the policy's own files: Presidio's format and loader, gated, checked, and part of the policy's hash."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.stock import Stock, places
from redaction.errors import RedactionError
from redaction.policy import RedactionConfig, policy_hash
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.description import describe
from redaction.redactor import Redactor
from tests.redaction.conftest import CACHE

PERSONNEL = r"""
recognizers:
  - name: Personnel numbers
    supported_entity: EMPLOYEE_ID
    patterns: [{name: personnel, regex: '\bE-\d{5}\b', score: 0.9}, {name: bare, regex: '\b\d{5}\b', score: 0.1}]
    supported_languages: [{language: en, context: [employee]}, {language: de, context: [mitarbeiter]}]
  - name: Projects
    supported_entity: PROJECT
    deny_list: [Apollo, Soyuz]
  - name: Weak
    supported_entity: WEAK
    patterns: [{name: weak, regex: 'w-[0-9]+', score: 0.3}]
    score_thresholds: {default: 0.2}
  - {name: Unused, supported_entity: UNUSED, deny_list: [unused], enabled: false}
  - {name: UrlRecognizer, type: predefined}
"""


def options(path: Path, text: str, **more: object) -> dict[str, object]:
    """Options of a policy that names a file with this text, without entities of its own."""
    path.write_text(text)
    return {"presidio": {"recognizers": [str(path)], "entities": [], **more}, "secrets": {"enabled": False}}


def found(analyzer: Analyzer, text: str, *context: str) -> list[tuple[str, str]]:
    """Return (entity, matched text) in the order of the text."""
    return [(each.entity, text[each.start : each.end]) for each in analyzer.find(text, context)]


@pytest.fixture
def personnel(tmp_path: Path) -> RedactionConfig:
    """A policy with the file above."""
    return RedactionConfig.model_validate(options(tmp_path / "own.yaml", PERSONNEL))


def test_recognizers_of_a_file_find_what_it_says(personnel: RedactionConfig) -> None:
    """Patterns, words of every language that is named, deny lists, thresholds of their own, and Presidio's by name."""
    analyzer = Analyzer(personnel, cache_folder=CACHE)
    assert found(analyzer, "E-12345, 12345") == [("EMPLOYEE_ID", "E-12345")]
    assert found(analyzer, "employee 12345") == [("EMPLOYEE_ID", "12345")]
    assert found(analyzer, "Mitarbeiter: 12345") == [("EMPLOYEE_ID", "12345")]
    assert found(analyzer, "12345", "employee") == [("EMPLOYEE_ID", "12345")]
    assert found(analyzer, "apollo and apollonia") == [("PROJECT", "apollo")]
    assert found(analyzer, "w-12 unused") == [("WEAK", "w-12")]
    assert found(analyzer, "see https://example.com/a") == [("URL", "https://example.com/a")]
    assert analyzer.gate.candidates("The order was shipped yesterday", ()) == 0


@pytest.mark.parametrize("text", ["E-12345 mitarbeiter 12345 apollo w-9", "employee E-1234 12345 Soyuz https://x.org", "w-1"])
def test_the_fast_path_finds_what_stock_presidio_finds(personnel: RedactionConfig, text: str) -> None:
    """The identity holds with files, and with recognizers' own thresholds."""
    assert places(Analyzer(personnel, cache_folder=CACHE).find(text, ())) == places(Stock(personnel).find(text, ()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recognizers: [", "own.yaml: is not YAML: line 1"),
        ("rules: []", "own.yaml: has no list `recognizers`"),
        ("recognizers: [{supported_entity: X, deny_list: [a]}]", "own.yaml: recognizer 1: name: is missing"),
        ("recognizers: [{name: Mine, deny_list: [a]}]", "own.yaml: Mine: supported_entity: is missing"),
        ("recognizers: [{name: Mine, supported_entity: my id, deny_list: [a]}]", "Mine: supported_entity: must be capital letters"),
        ("recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, score: 1}]}]", "Mine: patterns[0].regex: is missing"),
        ("recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, regex: '(', score: 1}]}]", "is not a regular expression"),
        ("recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, regex: 'a*', score: 1}]}]", "matches the empty text"),
    ],
)
def test_what_can_be_told_without_presidio_is_an_error_of_the_configuration(tmp_path: Path, text: str, said: str) -> None:
    """With the file, the recognizer and the field."""
    with pytest.raises(ValidationError, match=re.escape(said)):
        RedactionConfig.model_validate(options(tmp_path / "own.yaml", text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, regex: a, score: 7}]}]",
            "'Mine': {path} (patterns: Pattern",
        ),
        ("recognizers: [{name: Mine, supported_entity: X, patterns: [{regex: a, score: 1}]}]", "should contain a name field"),
        ("recognizers: [{name: UrlRecognizer, supported_entity: X, deny_list: [a]}]", "conflicts with a"),
        ("recognizers: [{name: NoRecognizer, type: predefined}]", "name: Presidio has no recognizer NoRecognizer"),
        ("recognizers: [{name: AzureAILanguageRecognizer, type: predefined}]", "name: loads a model or calls a service: use nlp_engine"),
        ("recognizers: [{name: GLiNERRecognizer, type: predefined}]", "name: loads a model or calls a service: use nlp_engine"),
        ("recognizers: [{name: SpacyRecognizer, type: predefined}]", "name: loads a model or calls a service: use nlp_engine"),
        ("recognizers: [{name: Mine, supported_entity: X, deny_list: [a], score_thresholds: {X: 3}}]", "between 0.0 and 1.0"),
        (
            "recognisers: 1\nrecognizers: [{name: M, supported_entity: X, deny_list: [a]}]",
            "recognisers: is no key of Presidio",
        ),
    ],
)
def test_what_presidio_refuses_names_the_file_the_recognizer_and_the_field(tmp_path: Path, text: str, said: str) -> None:
    """Nothing is skipped, and nothing sends texts elsewhere."""
    config = RedactionConfig.model_validate(options(tmp_path / "own.yaml", text))
    with pytest.raises(RedactionError) as raised:
        describe(config)
    assert said.format(path=tmp_path / "own.yaml") in str(raised.value)


def test_a_file_that_is_not_there_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(ValidationError, match=r"absent.yaml: cannot be read: No such file"):
        RedactionConfig.model_validate({"presidio": {"recognizers": [str(tmp_path / "absent.yaml")]}})


def test_a_path_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """Not to the directory that the process was started in; a scanner gets the file itself."""
    (tmp_path / "own.yaml").write_text(PERSONNEL)
    values = {"presidio": {"recognizers": ["own.yaml"]}}
    config = RedactionConfig.model_validate(values, context={"folder": tmp_path})
    assert config.presidio.recognizers[0].path == str(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").unlink()
    assert RedactionConfig.model_validate_json(config.model_dump_json()) == config


def test_the_hash_covers_what_a_file_says_not_where_it_stands(tmp_path: Path) -> None:
    """A changed file is another policy."""
    first = policy_hash(RedactionConfig.model_validate(options(tmp_path / "a.yaml", PERSONNEL)))
    assert first == policy_hash(RedactionConfig.model_validate(options(tmp_path / "b.yaml", PERSONNEL)))
    changed = PERSONNEL.replace("Soyuz", "Gemini")
    assert first != policy_hash(RedactionConfig.model_validate(options(tmp_path / "a.yaml", changed)))


def test_actions_know_the_entities_of_files(tmp_path: Path, make_redactor: Callable[..., Redactor]) -> None:
    """They are entities like all others."""
    redactor = make_redactor(**options(tmp_path / "own.yaml", PERSONNEL), actions={"entities": {"EMPLOYEE_ID": "drop", "PROJECT": "keep"}})
    assert redactor.clean_now([("E-12345 on Apollo", None)])[0].text == " on Apollo"


def test_a_catastrophic_pattern_withholds_the_text(tmp_path: Path, make_redactor: Callable[..., Redactor]) -> None:
    """Its time is limited like that of all recognizers; it is not skipped."""
    text = "recognizers: [{name: Slow, supported_entity: X, patterns: [{name: p, regex: '(a|aa)+(?<!a)', score: 1}]}]"
    redactor = make_redactor(**options(tmp_path / "own.yaml", text, timeout_ms=50))
    assert redactor.clean_now([("a" * 60, None)])[0].text == "<WITHHELD:timeout>"
    assert redactor.clean_now([("quick", None)])[0].text == "quick"


def test_a_recognizer_that_looks_at_every_text_is_named(tmp_path: Path) -> None:
    """`auditlake validate` and `doctor` say so."""
    config = RedactionConfig.model_validate(options(tmp_path / "own.yaml", "recognizers: [PhoneRecognizer]"))
    assert describe(config, cache_folder=CACHE).slow == ("PhoneRecognizer",)
