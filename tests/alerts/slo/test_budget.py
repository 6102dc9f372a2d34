"""What is left of an error budget."""

from datetime import timedelta
from fractions import Fraction

import pytest

from alerts.slo.budget import Condition, Standing, attained, days, left, standings
from alerts.slo.counts import Tally
from tests.alerts.slo.events import DAY, HOUR, MINUTE, NOW, Event, EventLake, counted, objective

PERCENT = Fraction(1, 100)


def standing(percent: float, *events: Event) -> Standing:
    lake = EventLake()
    lake.add(*events)
    slo = objective(percent)
    [found] = standings(slo, counted(lake, of=slo).counts, NOW)
    return found


@pytest.mark.parametrize(
    ("tally", "budget", "share"),
    [
        (Tally(0, 1000), PERCENT, 1.0),
        (Tally(5, 1000), PERCENT, 0.5),
        (Tally(10, 1000), PERCENT, 0.0),
        (Tally(16, 1000), PERCENT, -0.6),
        (Tally(0, 1000), Fraction(0), 1.0),
        (Tally(1, 1000), Fraction(0), 0.0),
        (Tally(0, 0), PERCENT, None),
    ],
)
def test_budget_left(tally: Tally, budget: Fraction, share: float | None) -> None:
    assert left(tally, budget) == share


def test_attained_is_a_ratio_of_sums_and_no_mean_of_ratios() -> None:
    """An hour with one event of which one is bad weighs as one event, not as an hour."""
    busy = [Event(NOW - HOUR - number * timedelta(seconds=1)) for number in range(999)]
    found = standing(99, *busy, Event(NOW - 5 * HOUR, bad=True))
    assert (found.tally, found.attained) == (Tally(1, 1000), 0.999)
    assert attained(Tally()) is None


def test_events_older_than_the_period_do_not_count() -> None:
    found = standing(99, Event(NOW - 31 * DAY, bad=True), Event(NOW - 29 * DAY), Event(NOW - MINUTE))
    assert found.tally == Tally(0, 2)


def test_the_budget_lasts_as_long_as_the_last_six_hours_allow() -> None:
    """Half of the budget is left, and burns at 2: a fourth of 30 days."""
    ok = [Event(NOW - 10 * DAY, number=900), Event(NOW - HOUR, number=98)]
    found = standing(99, *ok, Event(NOW - HOUR, bad=True, number=2), Event(NOW - 10 * DAY, bad=True, number=3))
    assert found.left == pytest.approx(1 - 5 / (0.01 * 1003))
    assert found.burn_rates["6h"] == pytest.approx(2.0)
    assert found.left is not None
    assert found.lasts == found.left * timedelta(days=15)


def test_a_budget_that_nothing_spends_lasts_for_ever_and_a_spent_one_not_at_all() -> None:
    assert standing(99, Event(NOW - DAY, number=1000), Event(NOW - DAY, bad=True)).lasts is None
    assert standing(99, Event(NOW - HOUR, bad=True)).lasts == timedelta()


def test_conditions() -> None:
    long_ago = Event(NOW - 20 * DAY, number=1e9)
    assert standing(99, Event(NOW - HOUR, bad=True)).condition is Condition.SPENT
    assert standing(99, long_ago, Event(NOW - MINUTE, bad=True, number=20)).condition is Condition.PAGE
    slowly = [Event(NOW - hours * HOUR, bad=bad, number=number) for hours in range(72) for bad, number in ((False, 97), (True, 2))]
    assert standing(99, long_ago, *slowly).condition is Condition.TICKET
    assert standing(99, Event(NOW - HOUR, number=1000)).condition is Condition.OK
    lake = EventLake()
    [nothing] = standings(objective(), counted(lake).counts, NOW)
    assert (nothing.condition, nothing.attained, nothing.left, nothing.lasts) == (Condition.NO_DATA, None, None, None)


def test_each_label_set_has_its_own_budget() -> None:
    lake = EventLake()
    lake.add(Event(NOW - HOUR, agent="a", number=100), Event(NOW - HOUR, agent="b", bad=True), Event(NOW - HOUR, agent=None))
    found = {row.labels: row.left for row in standings(objective(99), counted(lake, of=objective(99)).counts, NOW)}
    assert found == {(): 1.0, (("agent_name", "a"),): 1.0, (("agent_name", "b"),): -99.0}


def test_the_budget_at_the_end_of_each_day() -> None:
    lake = EventLake()
    lake.add(Event(NOW - 40 * DAY, bad=True), Event(NOW - 2 * DAY, number=999), Event(NOW - DAY, bad=True), Event(NOW - HOUR, number=1000))
    slo = objective(99)
    found = list(days(slo, counted(lake, of=slo, reach=45 * DAY).counts, NOW, number=12))
    told = {row.day.isoformat(): (row.tally, row.left) for row in found}
    assert told["2026-11-10"] == (Tally(), -99.0), "the bad event of October 12 is in the 30 days before"
    assert "2026-11-11" not in told, "then there was no event in 30 days"
    assert told["2026-11-19"] == (Tally(0, 999), 1.0)
    assert told["2026-11-20"] == (Tally(1, 1), pytest.approx(0.9))
    assert told["2026-11-21"] == (Tally(0, 1000), pytest.approx(0.95))
