"""Counting: little is read, late records count in the end, and what was counted outlives the process."""

from dataclasses import replace
from pathlib import Path

import pytest

from alerts.errors import AlertsError, NotYet
from alerts.slo import counting
from alerts.slo.counting import Counter
from alerts.slo.counts import Tally
from alerts.slo.keeping import Forgotten, KeptHours
from alerts.slo.model import Events, Indicator
from alerts.slo.rules import objective_rules
from alerts.state import AlertStore
from storage.errors import StorageError
from tests.alerts.slo.events import DAY, HOUR, MINUTE, NOW, Event, EventLake, advanced, as_it_is, caught_up, counted, keeping, objective

A = (("agent_name", "support"),)


def month(*events: Event) -> EventLake:
    """An event every six hours of 30 days."""
    lake = EventLake()
    lake.add(*[Event(NOW - number * 6 * HOUR - 2 * HOUR) for number in range(115)], *events, sealed=NOW - HOUR)
    return lake


def test_a_month_is_read_once() -> None:
    lake = month()
    counter = counted(lake)
    assert min(begin for begin, _ in lake.asked) <= NOW - 30 * DAY
    at = NOW + 10 * MINUTE
    caught_up(counter, lake, at)
    asked = advanced(counter, lake, at + MINUTE)
    assert asked[0] == ((at - 9 * MINUTE).replace(second=0), at + MINUTE), "the newest minutes"
    assert sum((end - begin for begin, end in asked[1:]), 0 * MINUTE) < 3 * HOUR, "and what may still change"
    assert counter.counts.sums(at - 30 * DAY, at) == {A: Tally(0, 115)}


def test_two_alerts_of_one_slo_count_once() -> None:
    lake = month()
    counter = counted(lake)
    assert advanced(counter, lake, NOW + MINUTE) != []
    assert advanced(counter, lake, NOW + MINUTE) == []


def test_a_late_record_is_counted() -> None:
    lake = month()
    counter = counted(lake)
    lake.add(Event(NOW - 9 * DAY, bad=True), sealed=NOW + 5 * MINUTE)
    advanced(counter, lake, NOW + 6 * MINUTE)
    assert counter.counts.sums(NOW - 30 * DAY, NOW)[A].bad == 0, "a day of nine days ago is counted again within an hour"
    asked = advanced(counter, lake, NOW + 61 * MINUTE)
    assert counter.counts.sums(NOW - 30 * DAY, NOW)[A].bad == 1
    assert not any(NOW - 29 * DAY < begin < NOW - 10 * DAY for begin, _ in asked), "and nothing else of the past"


def test_a_late_record_of_today_is_counted_within_minutes() -> None:
    lake = month()
    counter = counted(lake)
    lake.add(Event(NOW - 2 * HOUR, bad=True), sealed=NOW + MINUTE)
    advanced(counter, lake, NOW + 4 * MINUTE)
    assert counter.counts.sums(NOW - 6 * HOUR, NOW)[A].bad == 1


def test_files_that_were_merged_make_nothing_stale() -> None:
    """Compaction writes the same records again; the time at which the newest was sealed stays."""
    lake = month()
    counter = counted(lake)
    caught_up(counter, lake, NOW + 3 * HOUR)
    lake.files = [(NOW - HOUR, NOW - 30 * DAY, NOW)]
    lake.version += 1
    asked = advanced(counter, lake, NOW + 3 * HOUR + MINUTE)
    assert all(begin > NOW for begin, _ in asked)


def test_the_past_waits_when_there_is_no_time() -> None:
    lake = month()
    counter = keeping(KeptHours())
    advanced(counter, lake, NOW, spend_seconds=0)
    assert len(lake.asked) == 2, "the newest minutes, and one hour of the past"
    assert not counter.counts.covers(NOW - 3 * DAY, NOW)
    for number in range(1, 40):
        advanced(counter, lake, NOW + number * MINUTE / 2, spend_seconds=0)
    assert counter.counts.covers(NOW - 3 * DAY, NOW)


def test_what_the_past_took_is_rested_too() -> None:
    """Three seconds, of which one for the newest minutes: the next count is a minute later."""
    lake = month()
    lake.seconds_a_query = 0.5
    counter = Counter(objective(), Forgotten(), timer=lambda: lake.taken_seconds)
    assert len(advanced(counter, lake, NOW, spend_seconds=2)) == 3
    assert advanced(counter, lake, NOW + MINUTE / 2) == []
    assert advanced(counter, lake, NOW + MINUTE + MINUTE / 60) != []


def test_a_count_that_fails_rests_like_one_that_does_not() -> None:
    """Both alerts of an SLO say so, and ask once; else a lake that is too slow for one would have time for no other."""
    lake = month()
    lake.seconds_a_query, lake.too_long = 0.5, 0 * MINUTE
    counter = Counter(objective(), Forgotten(), timer=lambda: lake.taken_seconds)
    for at in (NOW, NOW, NOW + MINUTE / 8):
        with pytest.raises(StorageError, match="stopped after"):
            advanced(counter, lake, at)
    assert lake.taken_seconds == 0.5
    lake.too_long = DAY
    assert advanced(counter, lake, NOW + MINUTE / 4) != []


def test_records_that_come_at_once_cost_the_newest_minutes_and_little_more() -> None:
    """A file each half minute, for half an hour: what may have changed of three hours is looked at every ten minutes."""
    lake = month()
    counter = counted(lake, of=objective(lookback="2h"))
    more = 0
    for number in range(1, 61):
        at = NOW + number * MINUTE / 2
        lake.add(Event(at - MINUTE / 12), sealed=at - MINUTE / 15)
        more += len(advanced(counter, lake, at)) - 1
    assert counter.counts.sums(NOW, at) == {A: Tally(0, 60)}
    assert more <= 9


def test_a_query_that_takes_too_long_is_asked_in_smaller_pieces() -> None:
    lake = month()
    lake.too_long = 5 * HOUR
    assert counted(lake).counts.sums(NOW - 30 * DAY, NOW) == {A: Tally(0, 115)}


def test_an_hour_that_takes_too_long_is_an_error() -> None:
    lake = month()
    lake.too_long = 30 * MINUTE
    with pytest.raises(StorageError):
        counted(lake)


def test_counts_outlive_the_process(tmp_path: Path) -> None:
    lake = month(Event(NOW - 9 * DAY, bad=True))
    with_store = AlertStore.open(tmp_path)
    kept = KeptHours()
    kept.connect(with_store)
    caught_up(keeping(kept), lake, NOW)
    again = keeping(kept)
    asked = advanced(again, lake, NOW + MINUTE)
    assert again.counts.sums(NOW - 30 * DAY, NOW + MINUTE) == {A: Tally(1, 116)}
    assert sum((end - begin for begin, end in asked), 0 * MINUTE) < 4 * HOUR
    with_store.close()


def test_what_came_while_no_process_ran_is_counted(tmp_path: Path) -> None:
    lake = month()
    with_store = AlertStore.open(tmp_path)
    kept = KeptHours()
    kept.connect(with_store)
    caught_up(keeping(kept), lake, NOW)
    lake.add(Event(NOW - 9 * DAY, bad=True), Event(NOW + 3 * HOUR), sealed=NOW + 5 * HOUR)
    again = keeping(kept)
    caught_up(again, lake, NOW + 6 * HOUR)
    assert again.counts.sums(NOW - 20 * DAY, NOW + 6 * HOUR)[A].bad == 1
    with_store.close()


def test_other_queries_are_other_counts_and_another_objective_is_not() -> None:
    slo = objective()
    assert objective(95.0).identity == slo.identity
    assert objective(lookback="2h").identity != slo.identity


def test_a_reader_finds_no_counts_where_no_process_ever_counted(tmp_path: Path) -> None:
    store = AlertStore.open(tmp_path)
    assert KeptHours(store.engine).load("x") == {}
    store.close()


def test_too_many_label_sets_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_LABEL_SETS", 3)
    lake = EventLake()
    lake.add(*[Event(NOW - MINUTE, agent=f"customer-{number}") for number in range(4)])
    with pytest.raises(AlertsError, match="group by fewer columns"):
        counted(lake)


def test_labels_are_cleaned_before_they_are_kept_and_what_becomes_the_same_is_added_up() -> None:
    lake = EventLake()
    lake.add(Event(NOW - MINUTE, agent="ann@example.com"), Event(NOW - MINUTE, agent="bob@example.com", bad=True))
    counter = keeping(KeptHours())
    counter.advance(lake, NOW, clean=lambda items: ["<EMAIL_ADDRESS>" for _ in items], timeout_seconds=1, spend_seconds=1)
    assert counter.counts.sums(NOW - HOUR, NOW) == {(("agent_name", "<EMAIL_ADDRESS>"),): Tally(1, 2)}


def test_what_is_in_memory_anyway_is_not_copied_for_two_queries() -> None:
    """A ledger of a year has tens of millions of entries; this lake refuses to make tables."""
    slo = objective()
    queries = Events(error_query="SELECT * FROM ingest_log -- bad_events", total_query="SELECT * FROM ingest_log")
    of_entries = replace(slo, slo=slo.slo.model_copy(update={"sli": Indicator(events=queries)}))
    lake = EventLake()
    lake.add(Event(NOW - MINUTE, number=9), Event(NOW - MINUTE, bad=True))
    assert counted(lake, of=of_entries, reach=HOUR).counts.sums(NOW - HOUR, NOW) == {A: Tally(1, 10)}


def test_the_rules_of_an_slo_return_rows_with_the_same_columns() -> None:
    lake = EventLake()
    lake.add(*[Event(NOW - 2 * MINUTE, bad=True, number=20, agent=agent) for agent in ("a", None)])
    page, ticket = objective_rules(objective(), counted(lake))
    assert page.source is not None
    rows = page.source.rows(lake, eval_ts=NOW, clean=as_it_is, timeout_seconds=1)
    assert rows == [{"agent_name": None, "value": pytest.approx(1000)}, {"agent_name": "a", "value": pytest.approx(1000)}]
    assert (page.labels["severity"], ticket.labels["severity"]) == ("critical", "warning")


def test_alerts_stay_as_they_are_until_their_windows_are_counted_again() -> None:
    """Whoever erases somebody resolves nothing: pages are known again after hours are counted, tickets after three days are."""
    lake = month(*[Event(NOW - number * MINUTE / 2, bad=True) for number in range(20)])
    lake.seconds_a_query = 1.5
    counter = Counter(objective(99.0), Forgotten(), timer=lambda: lake.taken_seconds)
    caught_up(counter, lake, NOW)
    sources = [rule.source for rule in objective_rules(counter.objective, counter)]
    counter.forget()
    known: dict[int, int] = {}
    for number in range(1, 300):
        lake.add(*[Event(NOW + (2 * number - back) * MINUTE, bad=True) for back in range(2)])
        for place, source in enumerate(sources):
            assert source is not None
            try:
                rows = source.rows(lake, eval_ts=NOW + 2 * number * MINUTE, clean=as_it_is, timeout_seconds=1)
            except NotYet:
                assert place not in known, "what is known once stays known"
            else:
                assert len(rows) == 1, "never an answer without the alert"
                known.setdefault(place, number)
    assert 1 < known[0] < known[1]
