"""Burn rate alerts: both windows, each factor, ten bad events, and budgets of nothing."""

from datetime import timedelta
from fractions import Fraction

import pytest

from alerts.slo.burn import PAIRS, Pair, Urgency, burn_rate, burning
from alerts.slo.counts import Counts, Tally, minute_of
from tests.alerts.slo.events import DAY, HOUR, MINUTE, NOW

BUDGET = Fraction(1, 1000)


def counts(*spans: tuple[timedelta, timedelta, float, float]) -> Counts:
    """Counts of the last four days; a span (from ago, to ago, bad, total) has these numbers in each of its minutes."""
    found, first, end = Counts(), minute_of(NOW - 4 * DAY) // 60 * 60, minute_of(NOW) + 1
    minutes = {}
    for begin, until, bad, total in spans:
        for minute in range(minute_of(NOW - begin), minute_of(NOW - until) + 1):
            minutes[minute] = Tally(bad, total)
    found.put(first, end, {(("agent_name", "a"),): minutes}, counted_at=NOW)
    return found


def fires(found: Counts, urgency: Urgency, *, least: int = 10, budget: Fraction = BUDGET) -> list[float]:
    return [burn.value for burn in burning(found, budget, urgency, NOW, min_bad_events=least)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.urgency} {float(pair.factor)}")
def test_a_pair_alerts_just_above_its_factor_and_not_at_it(pair: Pair) -> None:
    at_factor = int(pair.factor * BUDGET * 10_000)
    whole = (4 * DAY, timedelta())
    above = fires(counts((*whole, at_factor + 1, 10_000)), pair.urgency)
    assert above == [pytest.approx(float(pair.factor) + 0.1)]
    slower = [other for other in PAIRS if other.urgency is pair.urgency and other.factor < pair.factor]
    assert bool(fires(counts((*whole, at_factor, 10_000)), pair.urgency)) is bool(slower)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.urgency} {float(pair.factor)}")
def test_both_windows_have_to_burn(pair: Pair) -> None:
    fast = float(pair.factor * BUDGET) * 10_000 * 1.5
    over = counts(
        (4 * DAY, timedelta(), 0, 10_000), (pair.long, pair.short + 2 * MINUTE, fast, 10_000), (pair.short + MINUTE, timedelta(), 0, 10_000)
    )
    assert all(value < pair.factor for value in fires(over, pair.urgency)), "it is over: the short window says so"
    short_only = counts((4 * DAY, pair.short + MINUTE, 0, 10_000), (pair.short, timedelta(), fast, 10_000))
    assert fires(short_only, pair.urgency) == [], "it has just begun: the long window says that it is not worth it"


def test_fewer_than_ten_bad_events_alert_nobody() -> None:
    """At 60 events an hour one bad event is a burn rate of 16."""

    def bad(number: int) -> Counts:
        return counts((4 * DAY, 3 * MINUTE, 0, 1), (2 * MINUTE, 2 * MINUTE, number, number), (MINUTE, timedelta(), 0, 1))

    assert fires(bad(9), Urgency.PAGE) == []
    assert len(fires(bad(10), Urgency.PAGE)) == 1
    assert len(fires(bad(1), Urgency.PAGE, least=1)) == 1


def test_without_events_nothing_burns() -> None:
    assert fires(counts(), Urgency.PAGE) == []
    assert burn_rate(Tally(), BUDGET) is None


def test_a_budget_of_nothing_pages_for_the_first_bad_event_and_for_an_hour() -> None:
    one = counts((4 * DAY, timedelta(), 0, 10), (HOUR - MINUTE, HOUR - MINUTE, 1, 10))
    assert fires(one, Urgency.PAGE, budget=Fraction(0)) == [1.0]
    assert fires(one, Urgency.TICKET, budget=Fraction(0)) == []
    older = counts((4 * DAY, timedelta(), 0, 10), (HOUR + 2 * MINUTE, HOUR + 2 * MINUTE, 1, 10))
    assert fires(older, Urgency.PAGE, budget=Fraction(0)) == []


def test_a_window_that_was_not_counted_whole_says_nothing() -> None:
    known = counts((4 * DAY, timedelta(), 20, 10_000))
    assert len(fires(known, Urgency.PAGE)) == 0
    known = counts((4 * DAY, timedelta(), 100, 10_000))
    del known.hours[minute_of(NOW - 5 * HOUR) // 60]
    assert fires(known, Urgency.PAGE) == [], "six hours are not known, and 10 times is less than 14.4"


def test_burn_rates_are_exact() -> None:
    """0.1 % of 3,000,000 in binary floating point is not 3,000; here it is."""
    budget = 1 - Fraction(str(99.9)) / 100
    assert burn_rate(Tally(3_000, 3_000_000), budget) == 1.0
    exactly = counts((3 * DAY + HOUR, timedelta(), 10, 10_000))
    assert fires(exactly, Urgency.TICKET) == [], "a burn rate of exactly 1 keeps the objective"
