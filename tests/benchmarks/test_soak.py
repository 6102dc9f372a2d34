"""What the oracle of redaction stands on: texts that are the same for a seed, samples of every rule, and small examples of differences."""

import json
from random import Random

import pytest
import regex

from benchmarks.entities import ENTITIES
from benchmarks.soak.redaction import known_findings, questions, smallest
from benchmarks.soak.samples import samples
from benchmarks.texts import KINDS, Texts
from redaction.cards import find
from redaction.policy import RedactionConfig


@pytest.mark.parametrize("kind", KINDS)
def test_texts_depend_on_the_seed_alone(kind: str) -> None:
    """A difference can be looked at again."""
    assert Texts(Random(1)).text(kind) == Texts(Random(1)).text(kind)
    assert len({Texts(Random(seed)).text(kind) for seed in range(20)}) > 15


@pytest.mark.parametrize("kind", ["chat JSON", "tool calls"])
def test_json_is_valid(kind: str) -> None:
    """Whatever is put into it."""
    texts = Texts(Random(1), density=1)
    for _ in range(100):
        json.loads(texts.text(kind))


def test_made_up_cards_have_right_checksums() -> None:
    """A finding with a wrong checksum would test nothing."""
    chance = Random(1)
    assert sum(any(find(ENTITIES["card"](chance), ("card",))) for _ in range(50)) > 40


@pytest.mark.parametrize(
    "expression", [r"(?<=key=)[a-f0-9]{8,}", r"(?i)sk-(?:live|test)_\w{4}+", r"a(?!b)[^x]\d?", r"\bAK[A-Z]{2}(?:x|y)*"]
)
def test_samples_match(expression: str) -> None:
    """Look-behinds are written out, and letters in any case where that counts."""
    assert all(regex.search(expression, each) for each in samples(expression, Random(1), 30))


def test_almost_every_rule_has_samples() -> None:
    """One finding of each at least, so that none stays unasked."""
    assert len(known_findings(RedactionConfig(), 1)) > 2000


def test_long_texts_are_asked_now_and_then() -> None:
    """They cost most."""
    kinds = [questions(1, number, ["x"])[0] for number in range(200)]
    assert kinds.count("long") == 2
    assert set(kinds) == set(KINDS)


def test_a_difference_is_made_small() -> None:
    """What is left is what matters."""
    assert smallest(("some words needle and more", ("key",)), lambda text, _: "yes" if "needle" in text else "") == ("needle", ())
