"""The distributions agree with published tables and with each other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.gate.distributions import binomial_at_most, hypergeometric_at_least, incomplete_beta, normal_quantile, t_quantile


@pytest.mark.parametrize(
    ("level", "freedom", "expected"),
    [(0.025, 1, 12.7062), (0.025, 10, 2.22814), (0.005, 29, 2.75639), (0.05, 100, 1.66023), (1e-4, 5, 9.67757), (0.025, math.inf, 1.95996)],
)
def test_students_quantiles_are_those_of_the_tables(level: float, freedom: float, expected: float) -> None:
    assert t_quantile(level, freedom) == pytest.approx(expected, rel=1e-5)


def test_with_many_degrees_of_freedom_student_is_normal() -> None:
    assert t_quantile(0.006, 1e6) == pytest.approx(normal_quantile(0.006), rel=1e-5)


@given(trials=st.integers(1, 60), share=st.floats(0.01, 0.99), data=st.data())
def test_the_binomial_is_the_sum_of_its_terms(trials: int, share: float, data: st.DataObject) -> None:
    successes = data.draw(st.integers(-1, trials))
    terms = (math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes + 1))
    assert binomial_at_most(successes, trials, share) == pytest.approx(math.fsum(terms), abs=1e-11)


@given(drawn=st.integers(1, 30), marked=st.integers(0, 30), others=st.integers(0, 30), data=st.data())
def test_fishers_test_counts_the_ways_to_draw(drawn: int, marked: int, others: int, data: st.DataObject) -> None:
    total = max(marked + others, drawn)
    found = data.draw(st.integers(0, min(drawn, marked)))
    ways = sum(math.comb(marked, k) * math.comb(total - marked, drawn - k) for k in range(found, min(drawn, marked) + 1))
    assert hypergeometric_at_least(found, drawn, marked, total) == pytest.approx(ways / math.comb(total, drawn), rel=1e-9, abs=1e-12)


@given(x=st.floats(0, 1), a=st.floats(0.5, 5000), b=st.floats(0.5, 5000))
def test_the_incomplete_beta_function_is_symmetric(x: float, a: float, b: float) -> None:
    assert 0 <= incomplete_beta(x, a, b) <= 1
    assert incomplete_beta(x, a, b) + incomplete_beta(1 - x, b, a) == pytest.approx(1, abs=1e-9)


def test_a_million_runs_are_no_problem() -> None:
    assert binomial_at_most(950_200, 1_000_000, 0.95) == pytest.approx(0.8212, abs=1e-3)
