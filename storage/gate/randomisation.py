"""Would chance alone do this? Randomisation tests of "the two releases are the same", and the bootstrap of pairs.

A test that only relabels what was measured is exact for any distribution, skewed, clustered or with ties: of identical releases at
most a share of `level` looks this much worse. Everything random is drawn from a fixed seed, so the same data give the same answer.
"""

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from storage.gate.distributions import hypergeometric_at_least, t_quantile
from storage.gate.estimates import Numbers, Sample

SEED: Final = 20_240_601
PER_LEVEL: Final = 20
"""Relabellings that a level of one in n takes, per n: so many are expected to look as bad where p is just the level."""
RESAMPLES: Final = 5_000
_CELLS: Final = 4_000_000
"""Numbers drawn at a time."""
_WORK: Final = 100_000_000
"""Numbers drawn in all, about: large samples are relabelled less often."""

Indices = npt.NDArray[np.int64]


def generator(name: str) -> np.random.Generator:
    """Return the random numbers of a check: its own, so that one more check does not change another."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode())])


def p_relabelled(candidate: Sample, baseline: Sample, name: str, *, worse: int, level: float) -> float:
    """Return the share of relabellings of the units in which the candidate looks at least as bad; `worse` is 1 where more is worse."""
    if candidate.binary and baseline.binary:
        return _fisher(candidate, baseline, worse)
    sums = np.concatenate([candidate.sums, baseline.sums])
    counts = np.concatenate([candidate.counts, baseline.counts])
    picked, units = len(candidate), len(sums)
    seen = _difference(candidate.sums.sum(), candidate.counts.sum(), sums.sum(), counts.sum(), worse)
    reached = total = 0
    for rows in _chunks(_relabellings(units, level), units):
        draws = _orders(name, total, rows, units)[:, :picked]
        found = _difference(sums[draws].sum(axis=1), counts[draws].sum(axis=1), sums.sum(), counts.sum(), worse)
        reached += int(np.count_nonzero(found >= seen - _slack(seen)))
        total += rows
    return (1 + reached) / (1 + total)


def p_swapped(candidate: Sample, baseline: Sample, name: str, *, worse: int, level: float) -> float:
    """Return the same for pairs, in each of which the two may be swapped."""
    sums, counts = candidate.sums + baseline.sums, candidate.counts + baseline.counts
    seen = _difference(candidate.sums.sum(), candidate.counts.sum(), sums.sum(), counts.sum(), worse)
    random = generator(name)
    reached = total = 0
    for rows in _chunks(_relabellings(len(candidate), level), len(candidate)):
        swapped = random.integers(0, 2, size=(rows, len(candidate)), dtype=np.int8).astype(np.float64)
        of_sums = candidate.sums.sum() + swapped @ (baseline.sums - candidate.sums)
        of_counts = candidate.counts.sum() + swapped @ (baseline.counts - candidate.counts)
        found = _difference(of_sums, of_counts, sums.sum(), counts.sum(), worse)
        reached += int(np.count_nonzero(found >= seen - _slack(seen)))
        total += rows
    return (1 + reached) / (1 + total)


def bootstrapped(pairs: int, statistic: Callable[[Indices], Numbers], name: str, level: float) -> tuple[float, float]:
    """Return the bounds of a statistic of `pairs` pairs: percentiles of the bootstrap, expanded for small samples (Hesterberg 2015).

    `statistic` maps rows of indices of pairs to one number a row.
    """
    random = generator(name)
    draws = (random.integers(0, pairs, size=(rows, pairs)) for rows in _chunks(max(1_999, min(RESAMPLES, _WORK // pairs)), pairs))
    found = np.concatenate([statistic(drawn) for drawn in draws])
    tail = _expanded(level, pairs)
    return float(np.quantile(found, tail)), float(np.quantile(found, 1 - tail))


def _orders(name: str, part: int, rows: int, units: int) -> Indices:
    """Random orders of the units, a row each; `part` tells the calls for one check apart."""
    random = np.random.default_rng([SEED, zlib.crc32(name.encode()), part])
    return random.permuted(np.tile(np.arange(units), (rows, 1)), axis=1)


def _fisher(candidate: Sample, baseline: Sample, worse: int) -> float:
    bad = [each.sums if worse > 0 else 1 - each.sums for each in (candidate, baseline)]
    ours, all_bad = int(bad[0].sum()), int(bad[0].sum() + bad[1].sum())
    return hypergeometric_at_least(ours, len(candidate), all_bad, len(candidate) + len(baseline))


def _difference(sums: Numbers, counts: Numbers, all_sums: float, all_counts: float, worse: int) -> Numbers:
    """How much worse the chosen units are than the rest; 0 where nothing is left to compare."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(worse * (sums / counts - (all_sums - sums) / (all_counts - counts)))


def _slack(seen: Numbers) -> float:
    """What sums of floating-point numbers in another order may differ by."""
    return 1e-9 * max(1e-9, abs(float(seen)))


def _chunks(total: int, units: int) -> Iterator[int]:
    """The rows to draw at a time until there are `total`."""
    while total > 0:
        rows = min(total, max(1, _CELLS // units))
        yield rows
        total -= rows


def _relabellings(units: int, level: float) -> int:
    """How many; always enough that a p of half the level can come out: a test that cannot fail would open the gate."""
    return max(math.ceil(2 / level), min(math.ceil(PER_LEVEL / level), _WORK // units))


def _expanded(level: float, pairs: int) -> float:
    """The percentile to take so that a small sample's narrow bootstrap distribution covers as Student's would."""
    wide = math.sqrt(pairs / (pairs - 1)) * t_quantile(level, pairs - 1)
    return 0.5 * math.erfc(wide / math.sqrt(2))
