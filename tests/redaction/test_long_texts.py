"""Honest long texts are never withheld: prompts, logs, tables, code and numbers up to a megabyte stay within their budgets."""

import gc
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redaction.redactor import Redactor

CHANCE = random.Random(20)
PHRASE = "the agent looked up an order — naïve façade über 42 items and found that nothing is due, so please tell the customer; key facts"
WORDS = PHRASE.split()
SOURCE = Path(__file__).read_text()


@pytest.fixture(autouse=True)
def _no_garbage_of_others() -> Iterator[None]:
    """A collection of what other tests left may take longer than a text's budget."""
    gc.disable()
    yield
    gc.enable()


def prose(size: int) -> str:
    """Sentences."""
    return " ".join(CHANCE.choices(WORDS, k=size // 6))


def log(size: int) -> str:
    """Lines with times, ids and durations."""
    line = "2026-11-21T12:{0:02}:07.{1:06}Z INFO order {1} id={2:032x} took {3:.3f} s at /v1/orders/{1}"
    return "\n".join(line.format(number % 60, number, CHANCE.getrandbits(128), CHANCE.random()) for number in range(size // 105))


def table(size: int) -> str:
    """Comma-separated rows."""
    return "id,count,amount,when\n" + "\n".join(f"{each},{each * 7},{each / 3:.2f},2026-11-21" for each in range(size // 28))


def messages(size: int) -> str:
    """A JSON array."""
    return json.dumps([{"id": each, "role": "user", "content": " ".join(CHANCE.choices(WORDS, k=40))} for each in range(size // 300)])


def code(size: int) -> str:
    """Python."""
    return (SOURCE * (size // len(SOURCE) + 1))[:size]


def numbers(size: int) -> str:
    """Numbers between spaces."""
    return " ".join(str(CHANCE.randrange(10**6)) for _ in range(size // 7))


def digest(size: int) -> str:
    """One word without an end."""
    return CHANCE.randbytes(size // 2).hex()


def addresses(size: int) -> str:
    """Something to find in every line."""
    return "\n".join(f"{each} user{each}@example.com" for each in range(size // 28))


@pytest.mark.parametrize("make", [prose, log, table, messages, code, numbers, digest, addresses])
def test_a_text_of_100_kb_is_not_withheld(redactor: Redactor, make: Callable[[int], str]) -> None:
    """Each kind."""
    (cleaned,) = redactor.clean_now([(make(100_000), None)])
    assert "WITHHELD" not in cleaned.counts


@pytest.mark.parametrize("make", [prose, log, messages, addresses])
def test_a_text_of_a_megabyte_is_not_withheld(redactor: Redactor, make: Callable[[int], str]) -> None:
    """The longest that people send."""
    (cleaned,) = redactor.clean_now([(make(1_000_000), None)])
    assert "WITHHELD" not in cleaned.counts
    assert "@" not in cleaned.text
