"""How fast an error budget burns, and when that is an alert: several windows and several burn rates; pure.

The windows are those of the Site Reliability Workbook, chapter 5, table 5-8, for a period of 30 days, which are Sloth's too. A pair of
windows alerts when the error budget burns faster than its factor in both: the long one says that it is worth it, the short one that it
still happens. The long window has to hold some bad events at all: at low traffic every single one would be a burn rate of hundreds.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from alerts.slo.counts import Counts, Labels, Tally


class Urgency(StrEnum):
    """Which of the two alerts."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two windows and the burn rate above which both together alert."""

    urgency: Urgency
    factor: Fraction
    long: timedelta
    short: timedelta


PAIRS: Final = (
    Pair(urgency=Urgency.PAGE, factor=Fraction("14.4"), long=timedelta(hours=1), short=timedelta(minutes=5)),
    Pair(urgency=Urgency.PAGE, factor=Fraction(6), long=timedelta(hours=6), short=timedelta(minutes=30)),
    Pair(urgency=Urgency.TICKET, factor=Fraction(3), long=timedelta(days=1), short=timedelta(hours=2)),
    Pair(urgency=Urgency.TICKET, factor=Fraction(1), long=timedelta(days=3), short=timedelta(hours=6)),
)
ZERO_BUDGET_WINDOW: Final = timedelta(hours=1)
"""With no budget at all, every bad event pages, for so long."""
LONGEST: Final = max(pair.long for pair in PAIRS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """A label set whose budget burns too fast."""

    labels: Labels
    value: float  # the burn rate of the long window; with no budget, how many bad events there were


def burning(counts: Counts, budget: Fraction, urgency: Urgency, at: datetime, *, min_bad_events: int) -> list[Burning]:
    """Return what alerts at `at`, by labels. A window that was not counted yet says nothing."""
    if budget == 0:
        return _spent_at_once(counts, at) if urgency is Urgency.PAGE else []
    found: dict[Labels, Burning] = {}
    for pair in PAIRS:
        if pair.urgency is not urgency or not counts.covers(at - pair.long, at):
            continue
        short = counts.sums(at - pair.short, at)
        for labels, tally in counts.sums(at - pair.long, at).items():
            fast = _burns(tally, budget, pair.factor) and _burns(short.get(labels, Tally()), budget, pair.factor)
            if fast and tally.bad >= min_bad_events and labels not in found:
                found[labels] = Burning(labels=labels, value=burn_rate(tally, budget) or 0.0)
    return [found[labels] for labels in sorted(found)]


def looks_back(budget: Fraction, urgency: Urgency) -> timedelta:
    """Return how far back an alert looks."""
    return ZERO_BUDGET_WINDOW if budget == 0 else max(pair.long for pair in PAIRS if pair.urgency is urgency)


def burn_rate(tally: Tally, budget: Fraction) -> float | None:
    """Return how many times as fast as allowed the budget was spent: 1 spends it in the period. None without events or budget."""
    if not tally.total or budget == 0:
        return None
    return float(Fraction(tally.bad) / Fraction(tally.total) / budget)


def _burns(tally: Tally, budget: Fraction, factor: Fraction) -> bool:
    return tally.total > 0 and Fraction(tally.bad) > factor * budget * Fraction(tally.total)


def _spent_at_once(counts: Counts, at: datetime) -> list[Burning]:
    sums = counts.sums(at - ZERO_BUDGET_WINDOW, at)
    return [Burning(labels=labels, value=sums[labels].bad) for labels in sorted(sums) if sums[labels].bad > 0]
