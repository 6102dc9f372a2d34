"""Which hours to count now: what is new at once, what may have changed soon, and of the past as much as there is time for; pure.

Records come late: an agent was cut off, or a step took long and is told when it ends. A file that was sealed since an hour was counted and
has records of it makes the hour late: it is counted again after a delay that grows with its age, three minutes for the last hours, half an
hour for yesterday. An hour beside those records, in which an event may have come or gone because of them, is near: that can wait for ten
minutes, and so can an hour that is not settled yet. So late records cost little, however many there are, and everybody's count becomes
exact.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.slo.counts import HOUR, Hour, minute_of, moment_of

NEWEST: Final = timedelta(minutes=10)
"""Counted at every evaluation."""
SETTLING: Final = HOUR
"""So long after its end an hour may change without a new record: a run that fell silent is abandoned."""
SHORTEST_DELAY: Final = timedelta(minutes=3)
NEAR_DELAY: Final = timedelta(minutes=10)
LONGEST_DELAY: Final = HOUR
AGES_PER_DELAY: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Minutes since 1970 to count, the end excluded."""

    first: int
    end: int

    @property
    def hours(self) -> int:
        """How many hours it touches."""
        return -(-self.end // 60) - self.first // 60


def newest(hours: Mapping[int, Hour], at: datetime) -> Span:
    """Return what every evaluation at `at` counts: the last minutes, or their whole hours where those were never counted."""
    now = minute_of(at)
    first = minute_of(at - NEWEST)
    if now // 60 not in hours:
        first = min(first, now // 60 * 60)
    if first // 60 not in hours:
        first = first // 60 * 60
    return Span(first=first, end=now + 1)


def older(
    hours: Mapping[int, Hour],
    late: Collection[int],
    at: datetime,
    *,
    near: Collection[int] = (),
    reach: timedelta,
    settling: timedelta,
) -> list[Span]:
    """Return the hours of the last `reach` that are due, newest first; neighbours are one span, which may be long.

    `late` are hours of which records came since they were counted, `near` those that such records may concern.
    """
    now = minute_of(at)
    due = []
    for number in range(now // 60, minute_of(at - reach) // 60 - 1, -1):
        hour = hours.get(number)
        delay = None if hour is None else _delay(number, hour, at, late=number in late, near=number in near, settling=settling)
        if hour is None or (delay is not None and at - hour.counted_at >= delay):
            due.append(number)
    return [Span(first=span.first, end=min(span.end, now + 1)) for span in _joined(due)]


def stale_hours(files: Iterable[tuple[datetime, datetime, datetime]], hours: Mapping[int, Hour], *, apart: timedelta) -> set[int]:
    """Return the hours that are known and that files (sealed at, first record, last record) can have changed since.

    `apart` is how far apart the records of one event may lie: an event can be later than its first record, and earlier than its last.
    """
    found = set()
    for sealed_at, begin, end in files:
        for number in range(minute_of(begin - apart) // 60, minute_of(end + apart) // 60 + 1):
            hour = hours.get(number)
            if hour is not None and sealed_at > hour.counted_at:
                found.add(number)
    return found


def pieces(span: Span, hours: int) -> list[Span]:
    """Return a span in pieces of at most so many hours, the newest first."""
    found = []
    end = span.end
    while end > span.first:
        first = max(span.first, (-(-end // 60) - hours) * 60)
        found.append(Span(first=first, end=end))
        end = first
    return found


def _delay(number: int, hour: Hour, at: datetime, *, late: bool, near: bool, settling: timedelta) -> timedelta | None:
    """Return how long after it was counted an hour is counted again; None: never."""
    begin = moment_of(number * 60)
    grown = min((at - begin) / AGES_PER_DELAY, LONGEST_DELAY)
    if late:
        return max(grown, SHORTEST_DELAY)
    if near or hour.counted_at < begin + HOUR + max(settling, SETTLING):
        return max(grown, NEAR_DELAY)
    return None


def _joined(numbers: Iterable[int]) -> list[Span]:
    """Return hours, which are in descending order, as spans."""
    found: list[Span] = []
    for number in numbers:
        if found and found[-1].first == (number + 1) * 60:
            found[-1] = Span(first=number * 60, end=found[-1].end)
        else:
            found.append(Span(first=number * 60, end=(number + 1) * 60))
    return found
