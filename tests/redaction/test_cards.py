"""Card numbers: every issuer, length and way of writing; no fractions, tables, times and ids."""

import random
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

from redaction import cards
from redaction.redactor import Redactor

STOCK = CreditCardRecognizer()
PREFIXES = {
    12: ["6759"], 13: ["4"], 14: ["300", "36", "38"], 15: ["34", "37"], 18: ["6762"], 19: ["4", "62", "6304", "6011"],
    16: ["4", "51", "55", "2221", "2720", "6011", "65", "3528", "62", "2200", "81", "9792"],
}  # fmt: skip


def with_check_digit(digits: str) -> str:
    """Return `digits` with the Luhn digit behind them."""
    total = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-1::-2]) + sum(map(int, digits[-2::-2]))
    return digits + str(-total % 10)


def card(prefix: str, length: int, seed: int) -> str:
    """Return a valid number."""
    chance = random.Random(seed)
    return with_check_digit(prefix + "".join(chance.choice("0123456789") for _ in range(length - 1 - len(prefix))))


def found(text: str, *context: str) -> list[str]:
    """Return the card numbers in a text."""
    return [text[start:end] for start, end in cards.find(text, context)]


def grouped(number: str, separator: str) -> str:
    """Return a number as it stands on a card."""
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4, 4, 4, 4, 4))
    pieces, position = [], 0
    for size in sizes:
        pieces.append(number[position : position + size])
        position += size
    return separator.join(filter(None, pieces))


NUMBERS = st.builds(
    lambda length, index, seed: card(PREFIXES[length][index % len(PREFIXES[length])], length, seed),
    st.sampled_from(sorted(PREFIXES)), st.integers(0, 20), st.integers(0, 10**9),
)  # fmt: skip
STOCK_NUMBERS = NUMBERS.filter(lambda number: 13 <= len(number) <= 17)
AFTER = st.sampled_from(["", " ", ".", ")", '"', ", thanks", "\n"])
WORDS = st.sampled_from(["", "card ", "paid with ", "(", '"', "no.", "id=", "x: "])


@settings(max_examples=500, deadline=None)
@given(
    number=STOCK_NUMBERS,
    separator=st.sampled_from(["", " ", "-"]),
    before=WORDS,
    after=st.sampled_from(["", " ", ".", ")", '"', ", thanks", "\n"]),
)
def test_what_upstream_finds_of_real_cards_is_found(number: str, separator: str, before: str, after: str) -> None:
    """Every number that an issuer has."""
    text = before + (grouped(number, separator) if separator else number) + after
    ours = {index for start, end in cards.find(text, ()) for index in range(start, end)}
    for result in STOCK.analyze(text, ["CREDIT_CARD"]):
        assert set(range(result.start, result.end)) <= ours


@settings(max_examples=300, deadline=None)
@given(number=NUMBERS, separator=st.sampled_from([" ", "-", "\u00a0", "–", ".", "  ", "\n", "_", "/", "\t", "\u202f"]))
def test_every_way_of_writing_is_found(number: str, separator: str) -> None:
    """One kind of separator, and groups as on the card; short ones only in the usual punctuation."""
    text = grouped(number, separator)
    if len(number) >= 14:
        assert found(f"with {text} today") == [text]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2223003122003222", "2223003122003222"),
        ("card 2223 0031 2200 3222", "2223 0031 2200 3222"),
        ("6212345678900000003", "6212345678900000003"),
        ("6304000000000000000", "6304000000000000000"),
        ("card_4000056655665556", "4000056655665556"),
        ("4111111111111111USD", "4111111111111111"),
        ("x4111111111111111", "4111111111111111"),
        ("n = 4.111111111111111e15", "4.111111111111111e15"),
        ("total 4.111111111111111e+15", "4.111111111111111e+15"),
        ("4111 1111 1111 1111 2027", "4111 1111 1111 1111"),
        ("4111 1111 1111 1111 12 27 123", "4111 1111 1111 1111"),
        ("order 12 4111-1111-1111-1111", "4111-1111-1111-1111"),
        ("4111111111111111 qty 1,2", "4111111111111111"),
        ("a,4111111111111111,b", "4111111111111111"),
        ("4111111111111111.", "4111111111111111"),
        ("1. 4111 1111 1111 1111", "4111 1111 1111 1111"),
        ("411111111111 1111", "411111111111 1111"),
    ],
)
def test_a_card_is_found(text: str, number: str) -> None:
    """Whatever is glued to it, and with an expiry date or a code behind."""
    assert found(text) == [number]


def test_lists_of_cards_are_found() -> None:
    """In one row, or one below the other."""
    for separator in (" ", "\n", ", "):
        text = separator.join(grouped(card("4", 16, seed), " ") for seed in range(4))
        assert "".join(found(text)).replace(" ", "") == text.replace(separator, "").replace(" ", "")
        bare = separator.join(card("55", 16, seed) for seed in range(4))
        assert separator.join(found(bare)) == bare


@pytest.mark.parametrize(
    "text",
    [
        "0.4532015112830366",
        "[0.5725349380092386, 0.4627100127231191, 0.4532015112830366]",
        "4111 1111 1111 1112",
        "1646151331927128",
        "-4.532015112830366e-05",
        "+4915112345678",
        "192.168.100.200 10.0.0.1",
        "2026-11-21 12 33 45 2026-11-21",
        "00-c1b1b1e70781779e7d0bfd6e26505501-06252771e57c6e83-01",
        "671886250438",
        "12345678-4111-4111-4111-411111111111",
    ],
)
def test_what_is_no_card_is_left(text: str) -> None:
    """Fractions, times in microseconds, phones, addresses and ids."""
    assert found(text) == []


def share(texts: list[str]) -> float:
    """Return how many of the texts something is found in."""
    return sum(bool(found(text)) for text in texts) / len(texts)


def test_telemetry_is_left_almost_always() -> None:
    """Numbers that agents write by the thousand."""
    chance = random.Random(5)
    assert share(["[" + ", ".join(f"{chance.random():.16f}" for _ in range(5)) + "]" for _ in range(500)]) == 0
    assert share([" ".join(str(chance.randint(1000, 9999)) for _ in range(12)) for _ in range(500)]) < 0.01
    assert share([str(chance.randint(16 * 10**14, 18 * 10**14)) for _ in range(500)]) == 0
    assert share([str(chance.randint(16 * 10**17, 18 * 10**17)) for _ in range(500)]) == 0
    assert share([str(chance.getrandbits(63)) for _ in range(1000)]) < 0.02
    assert share([str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(1000)]) == 0
    assert share([f"{chance.getrandbits(128):032x}" for _ in range(2000)]) == 0


def test_long_numbers_of_ids_need_a_word() -> None:
    """Nineteen digits that begin with 4 are a trace id more often than a card."""
    number = card("4", 19, 1)
    assert found(number) == []
    assert found(f"card {number}") == [number]
    assert found(number, "card") == [number]
    assert found(grouped(number, " ")) == [grouped(number, " ")]


def test_cards_come_out_of_json(redactor: Redactor) -> None:
    """Also numbers with an exponent; fractions keep their digits."""
    text = '{"n": 4.111111111111111e15, "embedding": [0.4532015112830366, 0.4627100127231191], "c": 2223003122003222}'
    expected = '{"n": "<CREDIT_CARD>", "embedding": [0.4532015112830366, 0.4627100127231191], "c": "<CREDIT_CARD>"}'
    assert redactor.clean_now([(text, None)])[0].text == expected
