"""What is measured of one release, and the change between two, each with an interval.

Everything but a quantile is a ratio of sums over independent units (runs): successes over runs, failed calls over calls, dollars over
runs, so one linearised variance serves all and calls of one run count as what they are, dependent. The change of two independent
estimates is bounded by MOVER (Zou and Donner 2008), which with Wilson's bounds is Newcombe's interval (1998, method 10). `level` is
the chance to be wrong on one side.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.gate.distributions import binomial_at_most, normal_quantile, t_quantile

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row a unit: the sum over it and what that is divided by; units with nothing to divide by are not in it."""

    sums: Numbers
    counts: Numbers

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def value(self) -> float:
        """The ratio of the sums."""
        return float(self.sums.sum() / self.counts.sum())

    @property
    def binary(self) -> bool:
        """Whether every unit is one trial that succeeded or did not."""
        return bool(np.all(self.counts == 1) and np.all((self.sums == 0) | (self.sums == 1)))


def sample(sums: npt.ArrayLike, counts: npt.ArrayLike | None = None) -> Sample:
    """Return a sample; without `counts` every unit counts once."""
    numbers = np.asarray(sums, dtype=np.float64)
    return Sample(sums=numbers, counts=np.ones_like(numbers) if counts is None else np.asarray(counts, dtype=np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value and its bounds; None where the data cannot bound it."""

    value: float
    lower: float | None
    upper: float | None
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The candidate against the baseline: `difference` or `ratio`, and its bounds."""

    kind: str
    value: float
    lower: float | None
    upper: float | None


def rate(of: Sample, level: float) -> Estimate:
    """Return a share with Wilson's bounds; of trials that are several a unit, with as many trials as they are worth.

    The design effect is the variance between units over that of as many independent trials, and at least 1; where every unit agrees
    there is no variance to see, and a unit is worth one trial.
    """
    units, trials, share = len(of), float(of.counts.sum()), of.value
    z = normal_quantile(level)
    if not np.all(of.counts == 1):
        z = t_quantile(level, units - 1)
        if 0 < share < 1:
            trials /= max(1.0, _variance(of) * trials / (share * (1 - share)))
        else:
            trials = float(units)
    middle = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    lower = (middle - spread) / scale if share > 0 else 0.0
    upper = (middle + spread) / scale if share < 1 else 1.0
    return Estimate(value=share, lower=lower, upper=upper, units=units)


def mean(of: Sample, level: float) -> Estimate:
    """Return a mean with Student's bounds."""
    margin = t_quantile(level, len(of) - 1) * math.sqrt(_variance(of))
    return Estimate(value=of.value, lower=of.value - margin, upper=of.value + margin, units=len(of))


def quantile(values: Numbers, share: float, level: float) -> Estimate:
    """Return a quantile with the bounds that hold whatever the distribution: order statistics (David and Nagaraja, section 7.1).

    A bound is None where even the smallest or largest value may lie inside: too few values for this share and level.
    """
    ordered, n = np.sort(values), len(values)
    below = _last_rank(n, share, level)
    above = _last_rank(n, 1 - share, level)
    return Estimate(
        value=float(np.quantile(ordered, share)),
        lower=float(ordered[below - 1]) if below > 0 else None,
        upper=float(ordered[n - above]) if above > 0 else None,
        units=n,
    )


def difference(candidate: Estimate, baseline: Estimate) -> Change:
    """Return candidate − baseline."""
    return Change(kind="difference", value=candidate.value - baseline.value, **_mover(candidate, baseline))


def ratio(candidate: Estimate, baseline: Estimate, *, smallest: float) -> Change:
    """Return candidate ÷ baseline, bounded on the scale of logarithms; values below `smallest` count as that."""
    logs = [_logarithm(each, smallest) for each in (candidate, baseline)]
    bounds = _mover(*logs)
    return Change(
        kind="ratio",
        value=math.exp(min(logs[0].value - logs[1].value, 700.0)),
        **{side: None if bound is None else math.exp(min(bound, 700.0)) for side, bound in bounds.items()},
    )


def log_mean(of: Estimate) -> Estimate:
    """Return the mean with bounds that are as far in proportion up as down, by the delta method: the scale that ratios are bounded on."""
    if of.value <= 0 or of.upper is None:
        return of
    factor = math.exp(min((of.upper - of.value) / of.value, 350.0))
    return Estimate(value=of.value, lower=of.value / factor, upper=of.value * factor, units=of.units)


def _variance(of: Sample) -> float:
    """The variance of a ratio of sums, linearised (Cochran, Sampling Techniques, 6.4)."""
    units = len(of)
    if units < 2:
        return math.inf
    rest = of.sums - of.value * of.counts
    return float(units / (units - 1) * np.square(rest).sum() / of.counts.sum() ** 2)


def _last_rank(n: int, share: float, level: float) -> int:
    """The highest rank whose value is, but for `level`, not above the quantile; 0 when there is none."""
    low, high = 0, n + 1
    while high - low > 1:
        middle = (low + high) // 2
        if binomial_at_most(middle - 1, n, share) <= level:
            low = middle
        else:
            high = middle
    return low


def _mover(candidate: Estimate, baseline: Estimate) -> dict[str, float | None]:
    change = candidate.value - baseline.value
    lower = upper = None
    if candidate.lower is not None and baseline.upper is not None:
        lower = change - math.hypot(candidate.value - candidate.lower, baseline.upper - baseline.value)
    if candidate.upper is not None and baseline.lower is not None:
        upper = change + math.hypot(candidate.upper - candidate.value, baseline.value - baseline.lower)
    return {"lower": lower, "upper": upper}


def _logarithm(of: Estimate, smallest: float) -> Estimate:
    lower, upper = (None if bound is None else math.log(max(bound, smallest)) for bound in (of.lower, of.upper))
    return Estimate(value=math.log(max(of.value, smallest)), lower=lower, upper=upper, units=of.units)
