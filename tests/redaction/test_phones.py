"""Phone numbers: what counts, what does not, and that lists of numbers cost little."""

import time

import phonenumbers
import pytest

from redaction.phones import Phones
from redaction.presidio.analyzer import Analyzer
from redaction.redactor import Redactor

PHONES = Phones(("US",), threshold=0.4)


def found(analyzer: Analyzer, text: str, *context: str) -> list[str]:
    """Return the phone numbers in a text."""
    return [text[each.start : each.end] for each in analyzer.find(text, context) if each.entity == "PHONE_NUMBER"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call me at 305-710-2687", "305-710-2687"),
        ("call me at 3057102687", "3057102687"),
        ("text him: 3057102687", "3057102687"),
        ("my number is 3057102687", "3057102687"),
        ("305 7102687 is mine", "305 7102687"),
        ("1-305-710-2687", "1-305-710-2687"),
        ("phone 3057102687", "3057102687"),
    ],
)
def test_a_persons_number_is_found(analyzer: Analyzer, text: str, number: str) -> None:
    """By its shape, or by words that mean a person's phone."""
    assert found(analyzer, text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "call 3057102687 bytes",
        "text 3535854996 number 2670920425",
        "contact the tool: latency 3101160",
        "gpt-4o-2024-08-06 claude-3-5-sonnet-20241022 1.2.3-20240806.88",
        "-0.82783959 -0.45445137 -0.70478194 -0.11431425 -0.56349714",
        "30571 02687 41555 50132",
    ],
)
def test_numbers_of_machines_are_left(analyzer: Analyzer, text: str) -> None:
    """Agents make calls, write texts and have numbers; versions and fractions have points."""
    assert found(analyzer, text) == []


def test_the_key_is_context(analyzer: Analyzer) -> None:
    """Bare digits under a key that says phone."""
    assert found(analyzer, "3057102687", "phone") == ["3057102687"]
    assert found(analyzer, "3057102687", "call") == []


@pytest.mark.parametrize(
    "region", ["US", "GB", "DE", "FR", "IT", "ES", "IN", "BR", "AR", "MX", "AU", "JP", "CN", "CH", "PL", "CA", "IL", "SE"]
)
def test_every_kind_of_national_number_is_given_to_phonenumbers(region: str) -> None:
    """What its metadata call an example, written the national way."""
    phones = Phones((region,), threshold=0.4)
    for kind in range(11):
        number = phonenumbers.example_number_for_type(region, kind)
        if number is None:
            continue
        text = f"tel: {phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)} ok"
        if any(phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID)):
            assert list(phones.find(text, ("phone",))), text


@pytest.mark.parametrize("unit", ["1234567 ", "12345 67890 ", "1-2-3 ", "2026-11-21T12:33:45.123456Z 192.168.100.200:8080 ", "3057102687 "])
def test_lists_of_numbers_are_quick(unit: str) -> None:
    """No stretch goes to phonenumbers that cannot be a number: 40 kB take milliseconds, not seconds."""
    text = unit * (40_000 // len(unit))
    begun = time.thread_time()
    assert list(PHONES.find(text, ())) == []
    assert time.thread_time() - begun < 1


def test_a_large_text_of_numbers_passes_unchanged(redactor: Redactor) -> None:
    """It used to take half a minute."""
    text = "7992387 9188131 7206817 8953298 2099391 " * 5_000
    begun = time.thread_time()
    assert redactor.clean_now([(text, None)])[0].text == text
    assert time.thread_time() - begun < 10
