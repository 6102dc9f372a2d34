"""Numbers that pass unscanned hold nothing that a recognizer would have found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.numbers import _WORDS, Numbers
from redaction.policy import RedactionConfig
from redaction.presidio import Analyzer
from redaction.redactor import Redactor

NUMBERS = Numbers(RedactionConfig())
CONTEXTS = [(), ("elapsed", "ns"), ("bytes",), ("id",), ("medical", "license"), ("credit", "card"), ("us", "state"), ("wallet",)]
WORDLESS = {"CREDIT_CARD", "CRYPTO", "IBAN_CODE", "MEDICAL_LICENSE", "AWS_SECRET_ACCESS_KEY"}
"""Entities that need no word, or a letter."""


@settings(max_examples=300, deadline=None)
@given(
    digits=st.integers(7, 19), number=st.integers(10**18, 10**19 - 1), sign=st.sampled_from(["", "-"]), context=st.sampled_from(CONTEXTS)
)
def test_what_passes_unscanned_holds_nothing(analyzer: Analyzer, digits: int, number: int, sign: str, context: tuple[str, ...]) -> None:
    text = sign + str(number)[:digits]
    if not NUMBERS.may_match(text, context):
        assert analyzer.find(text, context) == ()


def test_every_context_phrase_has_one_of_the_words(analyzer: Analyzer) -> None:
    for recognizer in analyzer._engine.registry.recognizers:
        for phrase in recognizer.context or ():
            assert set(recognizer.supported_entities) <= WORDLESS or not _WORDS.isdisjoint(phrase.split()), phrase


@pytest.mark.parametrize(
    ("number", "key"), [("219099999", "ssn"), ("4155550132", "phone"), ("4111111111111111", "x"), ("12345678", "account_number")]
)
def test_numbers_that_can_be_something_are_scanned(number: str, key: str) -> None:
    redactor = Redactor(RedactionConfig(), pseudonym_key=b"k" * 32)
    assert redactor.may_hold(number, key)
    assert redactor.clean_now([(number, key)])[0].counts


@pytest.mark.parametrize(("number", "key"), [("1234567", "bytes"), ("1700000000000000000", "start_ns"), ("9876543210", "elapsed_us")])
def test_ordinary_numbers_are_not(number: str, key: str) -> None:
    assert not Redactor(RedactionConfig(), pseudonym_key=b"k" * 32).may_hold(number, key)


@pytest.mark.parametrize(
    "options", [{"blocked_values": ["1"]}, {"presidio": {"entities": ["URL"]}}, {"presidio": {"score_threshold": 0.05}}]
)
def test_an_unusual_policy_scans_them_all(options: dict[str, object]) -> None:
    assert Numbers(RedactionConfig.model_validate(options)).may_match("1234567", ())
