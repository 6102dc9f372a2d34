"""One check, by simulation: identical releases fail it no more often than stated, and a real harm is found.

`benchmarks/gate.py` does the same at length.
"""

from collections.abc import Callable

import numpy as np
import pytest

from storage.gate.checks import Comparison, compare, limited
from storage.gate.estimates import Sample, sample
from storage.gate.measures import MEASURES, evaluation
from storage.gate.thresholds import Rule

MEASURE = {measure.name: measure for measure in MEASURES} | {"eval": evaluation("any", scored=True)}
LEVEL = 0.05
EXACT = Rule(tolerance=0.0)
Draw = Callable[[np.random.Generator, int, float], Sample]


def _rate(rng: np.random.Generator, runs: int, harm: float) -> Sample:
    return sample(rng.random(runs) >= 0.05 + 0.1 * harm)


def _durations(rng: np.random.Generator, runs: int, harm: float) -> Sample:
    return sample(rng.lognormal(8, 0.8, runs) * (1 + harm))


def _costs(rng: np.random.Generator, runs: int, harm: float) -> Sample:
    return sample(rng.lognormal(-3, 1.2, runs) * (1 + harm))


def _tool_errors(rng: np.random.Generator, runs: int, harm: float) -> Sample:
    calls = rng.integers(1, 8, runs)
    return sample(rng.binomial(calls, rng.beta(0.3, 6, runs) * (1 - harm) + harm * 0.25), calls)


def _scores(rng: np.random.Generator, runs: int, harm: float) -> Sample:
    return sample(np.clip(rng.normal(0.9 - 0.1 * harm, 0.2, runs), 0, 1))


DRAWS: dict[str, Draw] = {
    "success_rate": _rate, "latency_p50_ms": _durations, "latency_p95_ms": _durations, "cost_usd": _costs, "tool_error_rate": _tool_errors,
    "eval": _scores,
}  # fmt: skip


def failures(name: str, rounds: int, runs: tuple[int, int], harm: float, *, paired: bool = False) -> float:
    rng = np.random.default_rng([7, runs[0], runs[1], paired])
    failed = 0
    for _ in range(rounds):
        compared = Comparison(candidate=DRAWS[name](rng, runs[0], harm), baseline=DRAWS[name](rng, runs[1], 0.0), paired=paired)
        failed += compare(MEASURE[name], EXACT, compared, LEVEL).state == "failed"
    return failed / rounds


@pytest.mark.parametrize("runs", [(40, 400), (300, 70)], ids=str)
@pytest.mark.parametrize("name", DRAWS)
def test_identical_releases_fail_no_more_often_than_stated(name: str, runs: tuple[int, int]) -> None:
    """200 rounds at 5 %: more than 20 failures have a probability of 0.1 % if the statement holds."""
    assert failures(name, 200, runs, 0.0) <= 0.10


@pytest.mark.parametrize("name", ["success_rate", "cost_usd", "latency_p50_ms"])
def test_identical_shadow_pairs_fail_no_more_often_than_stated(name: str) -> None:
    assert failures(name, 30, (60, 60), 0.0, paired=True) <= 0.2


@pytest.mark.parametrize("name", DRAWS)
def test_a_real_harm_is_found(name: str) -> None:
    """Success 95 → 85 %, durations and costs doubled, a quarter of the tool calls failing, a score down by 0.1."""
    assert failures(name, 40, (400, 400), 1.0) >= 0.9


def test_pairs_see_what_two_samples_cannot() -> None:
    """Every task takes 10 % longer: far less than tasks differ among themselves."""
    rng = np.random.default_rng(3)
    theirs = rng.lognormal(8, 1, 80)
    samples = {"candidate": sample(theirs * 1.1 * rng.lognormal(0, 0.05, 80)), "baseline": sample(theirs)}
    apart, pairs = (compare(MEASURE["cost_usd"], EXACT, Comparison(**samples, paired=paired), LEVEL) for paired in (False, True))
    assert (apart.state, pairs.state) == ("passed", "failed")
    assert pairs.change is not None
    assert pairs.change.value == pytest.approx(1.1, abs=0.03)


def test_a_harm_within_the_tolerance_is_none() -> None:
    """However sure it is: 2,000 runs that cost 5 % more."""
    theirs = np.random.default_rng(4).lognormal(0, 0.1, 2000)
    compared = Comparison(candidate=sample(theirs * 1.05), baseline=sample(theirs))
    assert compare(MEASURE["cost_usd"], Rule(tolerance=0.1), compared, LEVEL).state == "passed"
    assert compare(MEASURE["cost_usd"], EXACT, compared, LEVEL).state == "failed"


def test_an_improvement_never_fails() -> None:
    rng = np.random.default_rng(5)
    for name, draw in DRAWS.items():
        compared = Comparison(candidate=draw(rng, 200, 0.0), baseline=draw(rng, 200, 1.0))
        assert compare(MEASURE[name], EXACT, compared, LEVEL).state == "passed"


def test_proof_takes_more_than_silence() -> None:
    rng = np.random.default_rng(6)
    few = Comparison(candidate=_rate(rng, 40, 0), baseline=_rate(rng, 40, 0))
    many = Comparison(candidate=_rate(rng, 6000, 0), baseline=_rate(rng, 6000, 0))
    rule = Rule(tolerance=0.02, prove=True)
    assert compare(MEASURE["success_rate"], rule, few, LEVEL).state == "not enough data"
    assert compare(MEASURE["success_rate"], rule, many, LEVEL).state == "passed"


def test_pairs_without_any_failure_prove_no_more_than_their_number() -> None:
    none = sample([0.0] * 30, [5.0] * 30)
    check = compare(
        MEASURE["tool_error_rate"], Rule(tolerance=0.02, prove=True), Comparison(candidate=none, baseline=none, paired=True), LEVEL
    )
    assert check.state == "not enough data"


def test_a_p95_needs_as_many_runs_as_bound_it() -> None:
    rng = np.random.default_rng(8)
    compared = Comparison(candidate=_durations(rng, 500, 0), baseline=_durations(rng, 50, 0))
    assert compare(MEASURE["latency_p95_ms"], EXACT, compared, LEVEL).state == "not enough data"


def test_a_free_baseline_makes_every_cost_worse() -> None:
    check = compare(MEASURE["cost_usd"], Rule(tolerance=0.1), Comparison(candidate=sample([0.01] * 40), baseline=sample([0.0] * 40)), LEVEL)
    assert check.state == "failed"
    nothing = Comparison(candidate=sample([0.0] * 40), baseline=sample([0.0] * 40))
    assert compare(MEASURE["cost_usd"], Rule(tolerance=0.1), nothing, LEVEL).state == "passed"


def test_the_same_data_give_the_same_numbers() -> None:
    rng = np.random.default_rng(9)
    compared = Comparison(candidate=_costs(rng, 90, 0.8), baseline=_costs(rng, 90, 0), paired=True)
    assert compare(MEASURE["cost_usd"], EXACT, compared, LEVEL) == compare(MEASURE["cost_usd"], EXACT, compared, LEVEL)


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        (Rule(min=0.9), "passed"), (Rule(min=0.96), "failed"), (Rule(max=0.9), "failed"), (Rule(min=0.94, prove=True), "failed"),
        (Rule(min=0.85, max=1.0, prove=True), "passed"),
    ],
)  # fmt: skip
def test_limits_are_of_the_value_or_with_prove_of_the_interval(rule: Rule, state: str) -> None:
    assert limited(MEASURE["success_rate"], rule, sample([1] * 95 + [0] * 5), LEVEL).state == state


def test_the_stated_detectable_harm_is_found_four_times_in_five() -> None:
    """The harm that a check says it finds with 80 % is found so."""
    rng = np.random.default_rng(10)
    told = compare(MEASURE["eval"], EXACT, Comparison(candidate=_scores(rng, 300, 0), baseline=_scores(rng, 300, 0)), LEVEL).detectable
    assert told is not None
    found = 0
    for _ in range(60):
        worse = sample(rng.normal(0.7 - told, 0.19, 300))
        found += (
            compare(MEASURE["eval"], EXACT, Comparison(candidate=worse, baseline=sample(rng.normal(0.7, 0.19, 300))), LEVEL).state
            == "failed"
        )
    assert 38 <= found <= 58


@pytest.mark.parametrize("absurd", [1e307, -1e307, float("nan")])
@pytest.mark.parametrize("name", ["eval", "cost_usd", "latency_p50_ms"])
def test_values_that_cannot_be_calculated_with_pass_nothing(name: str, absurd: float) -> None:
    """Sums that overflow are neither above nor below anything: a check that compared them would always pass."""
    broken, sound = sample([absurd] * 20 + [0.5] * 5), sample([0.5] * 30)
    for candidate, baseline in ((broken, sound), (sound, broken)):
        for paired in (False, True):
            size = 25 if paired else None
            compared = Comparison(candidate=sample(candidate.sums[:size]), baseline=sample(baseline.sums[:size]), paired=paired)
            if name == "eval" or np.isnan(absurd):
                assert compare(MEASURE[name], EXACT, compared, LEVEL).state == "not enough data"
            else:
                compare(MEASURE[name], EXACT, compared, LEVEL)  # a quantile and logarithms hold them
    if name == "eval" or np.isnan(absurd):
        assert limited(MEASURE[name], Rule(min=0.0, max=1.0), broken, LEVEL).state == "not enough data"
