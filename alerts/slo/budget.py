"""What is left of an error budget: over its period, day by day, and how long it lasts; pure.

The budget of a period is a share of its events: with an objective of 99.9 % one in a thousand may be bad. All ratios are exact: the sum of
the bad events over the sum of all, never a mean of ratios. The period is a rolling window that begins with a whole hour.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from alerts.slo.burn import Urgency, burn_rate, burning
from alerts.slo.counts import HOUR, Counts, Labels, Tally, minute_of, moment_of
from alerts.slo.objectives import PERIOD, LoadedObjective

WINDOWS: Final = {"1h": HOUR, "6h": 6 * HOUR, "1d": 24 * HOUR, "3d": 72 * HOUR}
"""Over which burn rates are shown: the long ones of the alerts."""
CURRENT: Final = "6h"
"""The burn rate from which it is told how long the budget lasts."""
DAY: Final = timedelta(days=1)


class Condition(StrEnum):
    """How an objective is."""

    SPENT = "spent"  # nothing is left of the budget
    PAGE = "page"  # it is being spent so fast that somebody is paged
    TICKET = "ticket"  # … that somebody should look soon
    OK = "ok"
    NO_DATA = "no data"  # there was no event in the period


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An objective for one label set, over its period until now."""

    objective: LoadedObjective
    labels: Labels
    tally: Tally
    burn_rates: dict[str, float | None]
    condition: Condition

    @property
    def attained(self) -> float | None:
        """The share of good events; None without events."""
        return attained(self.tally)

    @property
    def left(self) -> float | None:
        """The share of the budget that is left, negative when more was spent; None without events."""
        return left(self.tally, self.objective.budget)

    @property
    def lasts(self) -> timedelta | None:
        """How long what is left lasts at the current burn rate: zero when nothing is left; None: for ever."""
        share, rate = self.left, self.burn_rates[CURRENT]
        if share is None:
            return None
        if share <= 0:
            return timedelta()
        return share * PERIOD / rate if rate else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of an objective for one label set, and what was left of the budget at its end."""

    objective: LoadedObjective
    labels: Labels
    day: date
    tally: Tally  # of the day
    period: Tally  # of the period that ended with it

    @property
    def left(self) -> float | None:
        """The share of the budget that was left then; None without events in the period."""
        return left(self.period, self.objective.budget)


def attained(tally: Tally) -> float | None:
    """Return the share of good events, or None without events."""
    return float(1 - Fraction(tally.bad) / Fraction(tally.total)) if tally.total else None


def left(tally: Tally, budget: Fraction) -> float | None:
    """Return the share of an error budget that is left, negative when more was spent; None without events."""
    if not tally.total:
        return None
    if budget == 0:
        return 0.0 if tally.bad else 1.0
    return float(1 - Fraction(tally.bad) / Fraction(tally.total) / budget)


def standings(objective: LoadedObjective, counts: Counts, at: datetime) -> list[Standing]:
    """Return how an objective is at `at`, for each of its label sets; for none at all where nothing was ever counted."""
    sums = counts.sums(period_begin(at), at) or {(): Tally()}
    least = objective.slo.alerting.min_bad_events
    told = {urgency: {burn.labels for burn in burning(counts, objective.budget, urgency, at, min_bad_events=least)} for urgency in Urgency}
    windows = {name: counts.sums(at - window, at) for name, window in WINDOWS.items()}
    return [
        Standing(
            objective=objective,
            labels=labels,
            tally=sums[labels],
            burn_rates={name: burn_rate(found.get(labels, Tally()), objective.budget) for name, found in windows.items()},
            condition=_condition(left(sums[labels], objective.budget), labels in told[Urgency.PAGE], labels in told[Urgency.TICKET]),
        )
        for labels in sorted(sums)
    ]


def days(objective: LoadedObjective, counts: Counts, at: datetime, *, number: int) -> Iterator[Day]:
    """Yield the last `number` days (UTC), the last one until `at`, with the budget as it was at their ends."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(number - 1, -1, -1):
        begin = today - back * DAY
        end = min(begin + DAY - timedelta(minutes=1), at)
        within = counts.sums(begin, end)
        period = counts.sums(period_begin(end + timedelta(minutes=1)), end)
        for labels in sorted(period):
            yield Day(objective=objective, labels=labels, day=begin.date(), tally=within.get(labels, Tally()), period=period[labels])


def period_begin(at: datetime) -> datetime:
    """Return when the period that ends at `at` begins: with a whole hour."""
    return moment_of(minute_of(at - PERIOD) // 60 * 60)


def _condition(share: float | None, pages: bool, tickets: bool) -> Condition:
    if share is None:
        return Condition.NO_DATA
    if share <= 0:
        return Condition.SPENT
    return Condition.PAGE if pages else Condition.TICKET if tickets else Condition.OK
