"""One check: a measure of the release against the baseline, against limits, or both. Passed, failed, or not enough data.

A check fails where the harm is beyond the tolerance even at the near end of its interval *and* a randomisation test says that two
identical releases would hardly ever look so. It is never passed for want of data.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from storage.gate import estimates, randomisation
from storage.gate.distributions import normal_quantile
from storage.gate.estimates import Change, Estimate, Numbers, Sample
from storage.gate.measures import Measure
from storage.gate.randomisation import Indices
from storage.gate.thresholds import Rule

State = Literal["passed", "failed", "not enough data"]
POWER: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two releases measured: samples of their runs, in `paired` row by row of the same task."""

    candidate: Sample
    baseline: Sample
    paired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The outcome, with all numbers that it rests on."""

    name: str
    state: State
    reason: str
    measure: Measure
    rule: Rule
    release: Estimate | None = None
    baseline: Estimate | None = None
    change: Change | None = None
    p_value: float | None = None
    detectable: float | None = None  # the harm that would be found with a probability of 80 %


def too_few(compared: Comparison, min_samples: int) -> str | None:
    """Return which of two releases has too few units to be compared; None where both have enough."""
    for who, of in (("release", compared.candidate), ("baseline", compared.baseline)):
        if len(of) < min_samples:
            return f"the {who} has {len(of)} of {min_samples} samples"
    return None


@np.errstate(over="ignore", invalid="ignore")
def compare(measure: Measure, rule: Rule, compared: Comparison, level: float) -> Check:
    """Judge a release against the baseline; both have enough data. `level` is the chance of a false alarm of this check alone."""
    candidate, baseline = compared.candidate, compared.baseline
    of_release, of_baseline = (_estimate(measure, each, level) for each in (candidate, baseline))
    change = _paired_change(measure, candidate, baseline, level) if compared.paired else _change(measure, of_release, of_baseline)
    value, near, far = _harm(measure, change)
    tolerance = rule.tolerance or 0.0
    p_value = _p_value(measure, compared, level) if near is not None and near > tolerance else None
    state, reason = _judged(near, far, tolerance, p_value, level, prove=rule.prove)
    if near is None:
        state, reason = "not enough data", f"too few samples of the baseline to bound a p{measure.share * 100:g} at this level"
    if not (_usable(of_release) and _usable(of_baseline)):
        state, reason = "not enough data", "values are too large to be calculated with"
    return Check(
        name=measure.name, state=state, reason=reason, measure=measure, rule=rule, release=of_release, baseline=of_baseline, change=change,
        p_value=p_value, detectable=_detectable(value, near, tolerance, level),
    )  # fmt: skip


@np.errstate(over="ignore", invalid="ignore")
def limited(measure: Measure, rule: Rule, candidate: Sample, level: float) -> Check:
    """Judge a release by its own value against `min` and `max`, with `prove` by the far end of its interval."""
    of_release = _estimate(measure, candidate, level)
    broken = []
    if rule.min is not None and (of_release.value < rule.min or (rule.prove and (of_release.lower is None or of_release.lower < rule.min))):
        broken.append(f"below the minimum of {rule.min:g}")
    if rule.max is not None and (of_release.value > rule.max or (rule.prove and (of_release.upper is None or of_release.upper > rule.max))):
        broken.append(f"above the maximum of {rule.max:g}")
    reason = " and ".join(broken) or "within its limits"
    if not _usable(of_release):
        reason = "values are too large to be calculated with"
        return Check(name=measure.name, state="not enough data", reason=reason, measure=measure, rule=rule, release=of_release)
    return Check(name=measure.name, state="failed" if broken else "passed", reason=reason, measure=measure, rule=rule, release=of_release)


def _usable(found: Estimate) -> bool:
    """Whether a value and its bounds are numbers that say something: a NaN is neither above nor below any limit."""
    return all(bound is None or math.isfinite(bound) for bound in (found.value, found.lower, found.upper))


def _estimate(measure: Measure, of: Sample, level: float) -> Estimate:
    if measure.kind == "quantile":
        return estimates.quantile(of.sums, measure.share, level)
    if measure.kind == "rate":
        return estimates.rate(of, level)
    found = estimates.mean(of, level)
    return estimates.log_mean(found) if measure.scale == "ratio" else found


def _change(measure: Measure, candidate: Estimate, baseline: Estimate) -> Change:
    if measure.scale == "ratio":
        return estimates.ratio(candidate, baseline, smallest=measure.smallest)
    return estimates.difference(candidate, baseline)


def _paired_change(measure: Measure, candidate: Sample, baseline: Sample, level: float) -> Change:
    """The change of pairs, by the bootstrap; where no pair differs, as if they were none: there is no spread to see."""
    unpaired = _change(measure, _estimate(measure, candidate, level), _estimate(measure, baseline, level))

    def changed(drawn: Indices) -> Numbers:
        ours, theirs = _values(measure, candidate, drawn), _values(measure, baseline, drawn)
        if measure.scale == "ratio":
            return np.log(np.maximum(ours, measure.smallest)) - np.log(np.maximum(theirs, measure.smallest))
        return ours - theirs

    lower, upper = randomisation.bootstrapped(len(candidate), changed, measure.name, level)
    if measure.kind == "rate" and lower == upper:
        return unpaired
    if measure.scale == "ratio":
        lower, upper = (float(np.exp(bound)) for bound in (lower, upper))
    return Change(kind=unpaired.kind, value=unpaired.value, lower=lower, upper=upper)


def _values(measure: Measure, of: Sample, drawn: Indices) -> Numbers:
    if measure.kind == "quantile":
        return np.asarray(np.quantile(of.sums[drawn], measure.share, axis=1))
    counts = of.counts[drawn].sum(axis=1)
    return np.asarray(of.sums[drawn].sum(axis=1) / np.where(counts == 0, 1, counts))


def _harm(measure: Measure, change: Change) -> tuple[float, float | None, float | None]:
    """How much worse the release is, and the near and far end of that: a difference, or a ratio less one."""
    offset = 1.0 if measure.scale == "ratio" else 0.0
    ends = [None if bound is None else measure.worse * (bound - offset) for bound in (change.lower, change.upper)]
    near, far = ends if measure.worse > 0 else reversed(ends)
    return measure.worse * (change.value - offset), near, far


def _p_value(measure: Measure, compared: Comparison, level: float) -> float:
    candidate, baseline = compared.candidate, compared.baseline
    if measure.kind == "quantile":  # how many lie above the quantile of both together
        cut = float(np.quantile(np.concatenate([candidate.sums, baseline.sums]), measure.share))
        candidate, baseline = (estimates.sample(each.sums > cut) for each in (candidate, baseline))
    test = randomisation.p_swapped if compared.paired else randomisation.p_relabelled
    return test(candidate, baseline, measure.name, worse=measure.worse, level=level)


def _judged(
    near: float | None, far: float | None, tolerance: float, p_value: float | None, level: float, *, prove: bool
) -> tuple[State, str]:
    if near is not None and near > tolerance and p_value is not None and p_value <= level:
        return "failed", "worse than the baseline by more than the tolerance"
    if prove and (far is None or far > tolerance):
        return "not enough data", "it is not proven that it is no worse than the tolerance allows"
    return "passed", "proven to be within the tolerance" if prove else "no harm beyond the tolerance shows"


def _detectable(value: float, near: float | None, tolerance: float, level: float) -> float | None:
    """The harm at which the near end of an interval as wide as this one would lie beyond the tolerance in 80 % of the cases."""
    if near is None or not np.isfinite(near):
        return None
    return float(tolerance + (value - near) * (1 + normal_quantile(1 - POWER) / normal_quantile(level)))
