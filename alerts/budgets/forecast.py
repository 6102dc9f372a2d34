"""What will have been spent when a period ends, if it goes on like this.

What was spent so far, spread over the part of the period that has passed, is taken for the rest of it. Days do not count alike: once there
are four whole weeks of history, a weekday counts as much as its share of the spending of the last eight weeks at most (a team that rests on
Sundays is not on the way to a disaster on Friday); before that every day counts one. The part of today that has passed counts in
proportion.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from alerts.budgets.model import Period, midnight

LEAST_SHARE: Final = 0.1
"""Of a period that must have passed: before that nobody knows where it leads."""
LEAST_SHARE_OF_DAY: Final = 0.25
LEAST_WEEKS: Final = 4
MOST_WEEKS: Final = 8
HISTORY_DAYS: Final = 7 * MOST_WEEKS
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected at the end of the period, and how that was found."""

    amount: float
    method: Literal["linear", "weekday"]


def forecast(spent: Mapping[date, float], period: Period, *, as_of: datetime) -> Forecast | None:
    """Return what will have been spent at the end of the period that holds `as_of`; None while too little of it has passed.

    `spent` has the amounts of days: those of the period and, as far as there are any, of the weeks before `as_of`. A day that it lacks
    had no spending.
    """
    today = as_of.date()
    begin, end = period.begin(today), period.end(today)
    passed = (as_of - midnight(begin)) / (midnight(end) - midnight(begin))
    if passed < (LEAST_SHARE_OF_DAY if period is Period.DAY else LEAST_SHARE):
        return None
    so_far = sum(amount for day, amount in spent.items() if begin <= day <= today)
    weights = None if period is Period.DAY else _weights(spent, today)
    share_of_today = (as_of - midnight(today)) / _DAY

    def weight(first: date, last: date) -> float:
        """Of the days from `first` up to, not including, `last`."""
        days = (last - first).days
        return float(days) if weights is None else sum(weights[(first + number * _DAY).weekday()] for number in range(days))

    of_today = 1.0 if weights is None else weights[today.weekday()]
    gone = weight(begin, today) + of_today * share_of_today
    left = of_today * (1 - share_of_today) + weight(today + _DAY, end)
    if gone <= 0:  # days on which nobody ever spends anything
        return None
    return Forecast(amount=so_far * (1 + left / gone), method="linear" if weights is None else "weekday")


def _weights(spent: Mapping[date, float], today: date) -> list[float] | None:
    """Return how much each weekday counts, 1 on the average, from whole weeks before today; None when there are too few."""
    known = [day for day, amount in spent.items() if amount > 0 and today - HISTORY_DAYS * _DAY <= day < today]
    weeks = min((today - min(known)).days // 7, MOST_WEEKS) if known else 0
    if weeks < LEAST_WEEKS:
        return None
    sums = [0.0] * 7
    for number in range(1, 7 * weeks + 1):
        day = today - number * _DAY
        sums[day.weekday()] += spent.get(day, 0.0)
    whole = sum(sums)
    return [7 * amount / whole for amount in sums] if whole > 0 else None
