"""Estimates: intervals are those of the literature, and never narrower than the data allow."""

import numpy as np
import pytest

from storage.gate import estimates
from storage.gate.estimates import Estimate, sample


def test_wilsons_interval_is_that_of_the_literature() -> None:
    """Newcombe 1998, table I: 81 of 263 at 95 %."""
    found = estimates.rate(sample([1] * 81 + [0] * 182), 0.025)
    assert (found.value, found.lower, found.upper) == pytest.approx((0.30798, 0.2553, 0.3662), abs=1e-4)


def test_newcombes_interval_of_a_difference_is_that_of_the_literature() -> None:
    """Newcombe 1998, table II, method 10: 56/70 − 48/80 at 95 % is 0.0524 to 0.3339."""
    first, second = estimates.rate(sample([1] * 56 + [0] * 14), 0.025), estimates.rate(sample([1] * 48 + [0] * 32), 0.025)
    found = estimates.difference(first, second)
    assert (found.value, found.lower, found.upper) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_calls_of_one_run_are_not_independent() -> None:
    """Ten calls a run that fail together say as much as one call a run."""
    together = estimates.rate(sample([10] * 5 + [0] * 45, [10] * 50), 0.025)
    apart = estimates.rate(sample([1] * 50, [10] * 50), 0.025)
    alone = estimates.rate(sample([1] * 5 + [0] * 45), 0.025)
    assert together.value == apart.value == alone.value
    assert together.upper == pytest.approx(alone.upper, abs=0.01)
    assert apart.upper is not None
    assert apart.upper < 0.15


def test_no_failure_in_a_few_runs_is_no_proof_of_none() -> None:
    found = estimates.rate(sample([0] * 30, [20] * 30), 0.025)
    assert found.value == 0
    assert found.upper is not None
    assert found.upper > 0.1


def test_a_mean_has_students_interval() -> None:
    found = estimates.mean(sample([1.0, 2.0, 3.0, 4.0]), 0.025)
    assert (found.value, found.lower, found.upper) == pytest.approx((2.5, 0.4457, 4.5543), abs=1e-4)


def test_a_quantile_is_bounded_by_order_statistics() -> None:
    """Of 100 values the 95 % interval of the median is from the 40th to the 61st (Conover, table A.3)."""
    found = estimates.quantile(np.arange(1.0, 101.0), 0.5, 0.025)
    assert (found.value, found.lower, found.upper) == (50.5, 40, 61)


def test_what_few_values_cannot_bound_is_unknown() -> None:
    """0.95^58 > 5 %: 58 values may all lie below the p95, 59 do not."""
    assert estimates.quantile(np.arange(58.0), 0.95, 0.05).upper is None
    assert estimates.quantile(np.arange(59.0), 0.95, 0.05).upper == 58


def test_a_ratio_is_as_uncertain_up_as_down() -> None:
    dear, cheap = (estimates.log_mean(estimates.mean(sample(values), 0.025)) for values in ([4.0, 5, 6], [2.0, 2.5, 3]))
    up, down = estimates.ratio(dear, cheap, smallest=1e-9), estimates.ratio(cheap, dear, smallest=1e-9)
    assert up.value == pytest.approx(2)
    assert up.lower is not None
    assert down.upper == pytest.approx(1 / up.lower)


def test_a_bound_that_is_missing_leaves_the_change_unbounded() -> None:
    known = Estimate(value=2.0, lower=1.0, upper=3.0, units=5)
    unknown = Estimate(value=1.0, lower=0.5, upper=None, units=5)
    assert estimates.difference(known, unknown).lower is None
    assert estimates.difference(known, unknown).upper is not None
