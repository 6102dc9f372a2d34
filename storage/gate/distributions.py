"""The three distributions that the gate needs, to full double precision, from the incomplete beta function.

Continued fraction and symmetry as in DLMF 8.17; quantiles by bisection, which cannot fail to converge.
"""

import math
from collections.abc import Callable
from functools import cache
from statistics import NormalDist
from typing import Final

_TINY: Final = 1e-300
_TERMS: Final = 20_000


def normal_quantile(level: float) -> float:
    """Return z with P(Z > z) = `level`."""
    return -NormalDist().inv_cdf(level)


@cache
def t_quantile(level: float, freedom: float) -> float:
    """Return t with P(T > t) = `level` (below one half) for Student's distribution; `freedom` need not be whole."""
    if math.isinf(freedom):
        return normal_quantile(level)
    return _bisect(lambda t: 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) <= level, 0.0, 1e9)


def binomial_at_most(successes: int, trials: int, share: float) -> float:
    """Return P(X ≤ `successes`) of a binomial distribution."""
    if successes < 0:
        return 0.0
    return 1.0 if successes >= trials else incomplete_beta(1 - share, trials - successes, successes + 1)


def hypergeometric_at_least(found: int, drawn: int, marked: int, total: int) -> float:
    """Return P(X ≥ `found`) when `drawn` of `total` are drawn and `marked` of them are marked: Fisher's exact test, one-sided."""
    highest = min(drawn, marked)
    whole = _log_choose(total, drawn)
    terms = (
        _log_choose(marked, k) + _log_choose(total - marked, drawn - k) - whole
        for k in range(max(found, drawn + marked - total), highest + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b) of positive `a` and `b`."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of DLMF 8.17.22 by Lentz's method."""
    c, d = 1.0, 1 / _kept(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _kept(1 + term * d)
            c = _kept(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value


def _kept(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _bisect(reached: Callable[[float], bool], low: float, high: float) -> float:
    """Where `reached` turns true between `low` and `high`."""
    while high - low > 1e-12 * max(1.0, abs(low)):
        middle = (low + high) / 2
        if reached(middle):
            high = middle
        else:
            low = middle
        if middle in {low, high} and high - low <= 4 * math.ulp(high):
            break
    return high


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
