"""What is counted when."""

from datetime import datetime, timedelta

from alerts.slo.counts import Hour, minute_of
from alerts.slo.plan import Span, newest, older, pieces, stale_hours
from tests.alerts.slo.events import DAY, HOUR, MINUTE, NOW

THIS = minute_of(NOW) // 60
NONE = timedelta()


def hours(counted_at: datetime = NOW, *, back: int = 720) -> dict[int, Hour]:
    """The last hours, all counted at one time."""
    return {THIS - number: Hour.of({}, counted_at=counted_at, through=60) for number in range(back + 1)}


def test_the_last_ten_minutes_are_counted_each_time() -> None:
    assert newest(hours(), NOW) == Span(first=minute_of(NOW) - 10, end=minute_of(NOW) + 1)


def test_an_hour_of_which_nothing_is_known_is_counted_from_its_beginning() -> None:
    assert newest({}, NOW).first == (THIS - 1) * 60
    known = hours()
    del known[THIS]
    at = NOW + 30 * MINUTE
    assert newest(known, at).first == THIS * 60


def test_the_past_is_counted_newest_first_as_far_as_the_period_reaches() -> None:
    [span] = older({}, set(), NOW, reach=30 * DAY, settling=NONE)
    assert span == Span(first=(THIS - 720) * 60, end=minute_of(NOW) + 1)
    assert [piece.end for piece in pieces(span, 24)][:2] == [span.end, (THIS - 23) * 60]
    assert sum(piece.hours for piece in pieces(span, 24)) == span.hours


def test_what_was_counted_after_it_settled_is_not_counted_again() -> None:
    known = hours()
    assert older(known, set(), NOW + 5 * MINUTE, reach=30 * DAY, settling=NONE) == []
    assert [span.hours for span in older(known, set(), NOW + 11 * MINUTE, reach=30 * DAY, settling=NONE)] == [2], "this hour and the last"
    del known[THIS], known[THIS - 1]
    assert older(known, set(), NOW, reach=30 * DAY, settling=NONE)[0].hours == 2


def test_a_late_hour_is_counted_again_after_a_delay_that_grows_with_its_age() -> None:
    for age, delay in ((2 * HOUR, 150), (DAY, 1800), (20 * DAY, 3600)):
        number = minute_of(NOW - age) // 60
        for waited, due in ((0.9 * delay, False), (1.2 * delay, True)):
            known = {**hours(), number: Hour.of({}, counted_at=NOW - timedelta(seconds=waited), through=60)}
            found = older(known, {number}, NOW, reach=30 * DAY, settling=NONE)
            assert any(span.first <= number * 60 < span.end for span in found) is due, (age, waited)


def test_an_hour_beside_late_records_waits_for_ten_minutes() -> None:
    number = THIS - 5
    for waited, due in ((9 * MINUTE, False), (11 * MINUTE, True)):
        known = {**hours(), number: Hour.of({}, counted_at=NOW - waited, through=60)}
        found = older(known, set(), NOW, near={number}, reach=30 * DAY, settling=NONE)
        assert bool(found) is due


def test_a_file_makes_the_hours_of_its_records_stale_unless_they_were_counted_since() -> None:
    begin, end = NOW - 5 * HOUR, NOW - 4 * HOUR
    assert stale_hours([(NOW + MINUTE, begin, end)], hours(), apart=NONE) == {THIS - 5, THIS - 4}
    assert stale_hours([(NOW - MINUTE, begin, end)], hours(), apart=NONE) == set()
    assert stale_hours([(NOW + MINUTE, begin, end)], hours(), apart=HOUR) == {THIS - 6, THIS - 5, THIS - 4, THIS - 3}
