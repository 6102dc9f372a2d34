"""The rungs of a budget: shares of its limit, and a forecast beyond it, that are told once each a period.

That a rung was reached is remembered until the period ends, so that late records, corrected prices and restarts tell nothing twice. A limit
that is changed is another one: of its rungs those count as reached that the spending is above.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.budgets.standing import Standing

FORECAST: Final = "forecast"
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A rung that was reached under a limit."""

    rung: str  # a share such as 0.8, or FORECAST
    limit: float
    at: datetime


def reached(standing: Standing, known: Mapping[str, Reached], *, at: datetime) -> dict[str, Reached]:
    """Return the rungs of a standing's period that are reached now, `known` among them unless the limit has changed."""
    limit = standing.budget.limit
    now = set(_now(standing))
    kept = {rung: found for rung, found in known.items() if found.limit == limit or rung in now}
    fresh = {rung: Reached(rung=rung, limit=limit, at=at) for rung in now if rung not in kept}
    return {rung: Reached(rung=rung, limit=limit, at=found.at) for rung, found in kept.items()} | fresh


def highest(found: Collection[Reached]) -> Reached | None:
    """Return the highest share among rungs; when several were reached at once the others are not told."""
    shares = [each for each in found if each.rung != FORECAST]
    return max(shares, key=lambda each: float(each.rung), default=None)


def _now(standing: Standing) -> Iterator[str]:
    for rung in standing.budget.rungs:
        if standing.used >= rung - _ROUNDING:
            yield f"{rung:g}"
    if standing.forecast is not None and standing.remaining > 0 and standing.forecast.amount > standing.budget.limit:
        yield FORECAST
