"""Presidio without a model: what it finds, what it leaves, and that it never goes to the network or the log."""

import logging
import socket

import pytest
import tldextract

from redaction.budget import BudgetExceeded
from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from tests.redaction.conftest import CACHE


def found(analyzer: Analyzer, text: str, *context: str) -> list[tuple[str, str]]:
    """Return (entity, matched text) in the order of the text."""
    return [(each.entity, text[each.start : each.end]) for each in analyzer.find(text, context)]


@pytest.mark.parametrize(
    ("text", "entity", "match"),
    [
        ("write to jane.doe+x@example.com.", "EMAIL_ADDRESS", "jane.doe+x@example.com"),
        ("jane@corp.internal is internal", "EMAIL_ADDRESS", "jane@corp.internal"),
        ("jane@acme.example", "EMAIL_ADDRESS", "jane@acme.example"),
        ("card 4111 1111 1111 1111 please", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("5500-0000-0000-0004", "CREDIT_CARD", "5500-0000-0000-0004"),
        ("378282246310005", "CREDIT_CARD", "378282246310005"),
        ("to DE89370400440532013000 today", "IBAN_CODE", "DE89370400440532013000"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("call +1 415-555-0132 now", "PHONE_NUMBER", "+1 415-555-0132"),
        ("(415) 555-0132", "PHONE_NUMBER", "(415) 555-0132"),
        ("555-123-4567 or mail", "PHONE_NUMBER", "555-123-4567"),
        ("+44 20 7946 0958", "PHONE_NUMBER", "+44 20 7946 0958"),
        ("+4915112345678", "PHONE_NUMBER", "+4915112345678"),
        ("call +1 415-555-0132 2 times", "PHONE_NUMBER", "+1 415-555-0132"),
        ("+44 20 7946 0958 3 times", "PHONE_NUMBER", "+44 20 7946 0958"),
        ("+1 415-555-0132 ext. 12, ok", "PHONE_NUMBER", "+1 415-555-0132 ext. 12"),
        ("415-555-0132x12", "PHONE_NUMBER", "415-555-0132"),
        ("12 555-123-4567", "PHONE_NUMBER", "555-123-4567"),
        ("my phone is 4155550132", "PHONE_NUMBER", "4155550132"),
        ("ssn 536-22-8726", "US_SSN", "536-22-8726"),
        ("123-45-6789", "US_SSN", "123-45-6789"),
        ("bank account 12345678901", "US_BANK_NUMBER", "12345678901"),
        ("passport 912345678", "US_PASSPORT", "912345678"),
        ("driver's license D1234567", "US_DRIVER_LICENSE", "D1234567"),
        ("nhs 9434765919", "UK_NHS", "9434765919"),
        ("dea AB1234563", "MEDICAL_LICENSE", "AB1234563"),
        ("itin 912-70-1234", "US_ITIN", "912-70-1234"),
    ],
)
def test_personal_data_is_found(analyzer: Analyzer, text: str, entity: str, match: str) -> None:
    """Patterns, checksums and context words work without any model."""
    assert (entity, match) in found(analyzer, text)


@pytest.mark.parametrize(
    "text",
    [
        "lodash@4.17.21 and git@v2",
        "4111 1111 1111 1112",
        "trace 550e8400-e29b-41d4-a716-446655440000 4bf92f3577b34da6a3ce929d0e0e4736",
        "1763728800 1763728800123 1763728800123456789",
        "2024-08-06 12:33:45.123456 and 2024-08-06T12:33:45Z",
        "192.168.100.200:8080 and https://example.com/a/b.py main_%d.py",
        "the Apache license v2 and a driver of growth",
        "order 4155550132, ticket 9434765919, booking AB1234563",
        "used 1234567 tokens, cost 0.00012345 in 12.345678 seconds",
        "version 3.11.7.20241022 of claude-sonnet-4-5-20250929",
        "Jane went to Paris",
    ],
)
def test_telemetry_is_left(analyzer: Analyzer, text: str) -> None:
    """Ids, times, versions and prices stay readable at the default policy."""
    assert found(analyzer, text) == []


@pytest.mark.parametrize("text", ["account balance is 89432073", "bank account, total 89432073", "the amount on the account: 89432073"])
def test_a_balance_is_no_account_number(analyzer: Analyzer, text: str) -> None:
    """Words beside a context word can say that the number is something else."""
    assert found(analyzer, text) == []
    assert found(analyzer, "account number 89432073") == [("US_BANK_NUMBER", "89432073")]


def test_the_attribute_key_is_context_by_whole_words(analyzer: Analyzer) -> None:
    """`account` raises a weak match, `lic` in `public` does not."""
    assert found(analyzer, "12345678901", "account") == [("US_BANK_NUMBER", "12345678901")]
    assert found(analyzer, "A1234567", "public") == []


def test_only_the_entities_of_the_policy_are_looked_for() -> None:
    """The list is exact, secrets are separate, and the threshold counts."""
    analyzer = Analyzer(RedactionConfig.model_validate({"presidio": {"entities": ["IP_ADDRESS"]}, "secrets": {"enabled": False}}))
    assert found(analyzer, "10.0.0.1 jane@example.com ghp_" + "a1" * 18) == [("IP_ADDRESS", "10.0.0.1")]
    strict = Analyzer(RedactionConfig.model_validate({"presidio": {"score_threshold": 0.9}, "secrets": {"enabled": False}}))
    assert found(strict, "(415) 555-0132 jane@example.com") == [("EMAIL_ADDRESS", "jane@example.com")]
    nothing = Analyzer(RedactionConfig.model_validate({"presidio": {"entities": []}, "secrets": {"enabled": False}}))
    assert found(nothing, "jane@example.com") == []


def test_phone_regions_are_the_policys(analyzer: Analyzer) -> None:
    """A national number counts only where the policy says people have such numbers."""
    german = Analyzer(RedactionConfig.model_validate({"presidio": {"phone_regions": ["DE"]}, "secrets": {"enabled": False}}))
    assert found(german, "030/901820-11") == [("PHONE_NUMBER", "030/901820-11")]
    assert found(analyzer, "030/901820-11") == []


def test_blocked_values_are_found_as_written() -> None:
    """The policy's own expressions are case-sensitive unless they say otherwise."""
    analyzer = Analyzer(RedactionConfig.model_validate({"blocked_values": ["Project [A-Z]+"], "secrets": {"enabled": False}}))
    assert found(analyzer, "about Project APOLLO and project apollo") == [("BLOCKED_VALUE", "Project APOLLO")]


def test_nothing_ever_goes_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suffix list is the bundled snapshot, even with an empty cache."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setattr(tldextract.tldextract, "TLD_EXTRACTOR", tldextract.TLDExtract(cache_dir=None))
    assert found(Analyzer(RedactionConfig(), cache_folder=CACHE), "jane@example.co.uk") == [("EMAIL_ADDRESS", "jane@example.co.uk")]


def test_presidio_logs_nothing(analyzer: Analyzer, caplog: pytest.LogCaptureFixture) -> None:
    """Upstream logs matched text on several paths (an IBAN it cannot validate, debug traces)."""
    logging.getLogger("presidio-analyzer").error("Failed to validate text %s", "DE89370400440532013000")
    analyzer.find("GB82 WEST 1234 5698 7654 3ß jane@example.com", ("account",))
    assert caplog.records == []


@pytest.mark.usefixtures("analyzer")
def test_a_skipped_pattern_withholds_the_text() -> None:
    """Where upstream would log a regular expression's timeout and go on, the scan ends."""
    skipped = (TimeoutError, TimeoutError(), None)
    with pytest.raises(BudgetExceeded):
        logging.getLogger("presidio-analyzer").warning("Regex pattern timed out, skipping.", exc_info=skipped)
