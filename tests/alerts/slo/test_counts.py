"""Sums over windows are exact, whatever is kept of an hour."""

import random
from datetime import datetime

from alerts.slo.counts import Counts, Hour, Labels, Tally, labels_of, minute_of, moment_of
from tests.alerts.slo.events import DAY, HOUR, MINUTE, NOW, Event, EventLake, counted

A: Labels = (("agent_name", "a"),)
B: Labels = (("agent_name", "b"),)


def by_hand(events: list[Event], begin: datetime, end: datetime) -> dict[Labels, Tally]:
    found: dict[Labels, Tally] = {}
    for event in events:
        if minute_of(begin) <= minute_of(event.time) <= minute_of(end):
            key = labels_of({"agent_name": event.agent})
            found[key] = found.get(key, Tally()).plus(Tally(event.number if event.bad else 0, event.number))
    return found


def test_every_window_is_the_sum_of_its_events() -> None:
    """Bad and total are added up, for each label set; nothing is an average of ratios."""
    chance = random.Random(7)
    lake = EventLake()
    times = sorted(NOW - chance.random() * 80 * HOUR for _ in range(400))
    lake.add(
        *[Event(time, bad=chance.random() < 0.1, agent=chance.choice(["a", "b", None]), number=chance.choice([1, 5])) for time in times]
    )
    counts = counted(lake).counts
    for window in (5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY):
        for at in (NOW, NOW - 47 * MINUTE):
            assert counts.sums(at - window, at) == by_hand(lake.events, at - window, at), (window, at)


def test_a_part_of_an_hour_takes_the_place_of_that_part_alone() -> None:
    counts = Counts()
    counts.put(60, 120, {A: {60: Tally(1, 4), 90: Tally(2, 8)}}, counted_at=NOW)
    counts.put(80, 120, {A: {100: Tally(0, 1)}, B: {90: Tally(3, 3)}}, counted_at=NOW + MINUTE)
    assert counts.sums(moment_of(60), moment_of(119)) == {A: Tally(1, 5), B: Tally(3, 3)}
    assert counts.hours[1].counted_at == NOW, "its beginning is as old as that"


def test_an_hour_that_is_counted_again_forgets_what_it_was() -> None:
    counts = Counts()
    counts.put(60, 120, {A: {60: Tally(1, 4)}}, counted_at=NOW)
    counts.put(60, 120, {}, counted_at=NOW + MINUTE)
    assert counts.sums(moment_of(60), moment_of(119)) == {}
    assert counts.hours[1].counted_at == NOW + MINUTE


def test_an_hour_survives_its_text() -> None:
    hour = Hour.of({A: {0: Tally(1, 4), 59: Tally(0, 2)}, (): {3: Tally(0.5, 1)}}, counted_at=NOW, through=60)
    assert Hour.from_text(hour.as_text(), counted_at=NOW, through=60) == hour


def test_a_thinned_hour_has_the_same_sum() -> None:
    hour = Hour.of({A: {7: Tally(1, 4), 59: Tally(0, 2)}}, counted_at=NOW, through=60)
    assert hour.thinned().totals == hour.totals
    assert Counts({3: hour.thinned()}).sums(moment_of(180), moment_of(239)) == {A: Tally(1, 6)}


def test_a_window_is_covered_when_each_of_its_hours_was_counted() -> None:
    counts = Counts()
    counts.put(60, 150, {}, counted_at=NOW)
    assert counts.covers(moment_of(60), moment_of(149))
    assert not counts.covers(moment_of(59), moment_of(149))
    assert not counts.covers(moment_of(60), moment_of(160)), "the last hour was counted up to its middle"
