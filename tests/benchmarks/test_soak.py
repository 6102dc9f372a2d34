"""What the oracle of redaction stands on: texts that are the same for a seed, samples of every rule, and small examples of differences.
And what the hour of steady load calls growth.
"""

import json
from random import Random

import pytest
import regex

from benchmarks.entities import ENTITIES
from benchmarks.soak.ingest import leaks, slope
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


def hour(mib_per_10_minutes: float, *, begun: float = 0, ended: float = 3600) -> list[tuple[float, float]]:
    """A process that grows all the time, with a peak every minute, looked at every ten seconds."""
    times = range(int(begun), int(ended), 10)
    return [(second, 200 + mib_per_10_minutes * second / 600 + (300 if second % 60 == 0 else 0)) for second in times]


@pytest.mark.parametrize("begun", [0, 1200])
def test_growth_is_seen_through_the_peaks(begun: float) -> None:
    """Also of a process that took the place of another."""
    assert slope(hour(4, begun=begun)) == pytest.approx(4, abs=0.1)
    assert slope(hour(0, begun=begun)) == 0


def test_what_a_process_takes_at_first_is_no_growth() -> None:
    assert slope([(second, mib + (100 if second > 600 else 0)) for second, mib in hour(0)]) == 0


def test_a_process_that_lived_for_minutes_has_no_growth() -> None:
    """The scanner that the last ten minutes saw has not shown what it does in an hour."""
    assert slope(hour(40, begun=3000)) == 0


def test_every_process_is_held_to_the_bar() -> None:
    assert leaks({"collector": 0.1, "sealer 7": 4.1, "compactor 8": 1.0}) == ["sealer 7: memory grows by 4.1 MiB in ten minutes"]
