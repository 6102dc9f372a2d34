"""Counts of bad and of all events, minute by minute in hours, and their exact sums over any window; pure.

An hour is kept whole, so that a window is a sum of whole hours and of the minutes at its ends. Hours that no alert looks into any more are
thinned: all their events stand in their first minute, and windows that begin in them begin with the hour.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

Labels = tuple[tuple[str, str], ...]
"""Names and values, in order of the names."""
HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Tally(NamedTuple):
    """Events: how many were bad, and how many there were."""

    bad: float = 0
    total: float = 0

    def plus(self, other: "Tally") -> "Tally":
        """Return both together."""
        return Tally(self.bad + other.bad, self.total + other.total)


Minutes = Mapping[Labels, Mapping[int, Tally]]
"""Labels → minute → what happened in it. Minutes are of the hour, or since 1970, as is said."""


def minute_of(moment: datetime) -> int:
    """Return the minute since 1970 in which an aware time lies."""
    return (moment - _EPOCH) // MINUTE


def moment_of(minute: int) -> datetime:
    """Return when a minute since 1970 begins."""
    return _EPOCH + minute * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour as it was counted last."""

    counted_at: datetime  # the lake was read as of this time
    through: int  # minutes of the hour that were over then, 60 when it was over
    minutes: Minutes  # of the hour
    totals: Mapping[Labels, Tally]

    @classmethod
    def of(cls, minutes: Minutes, *, counted_at: datetime, through: int) -> "Hour":
        """Return the hour with these minutes."""
        totals = {labels: total(tallies.values()) for labels, tallies in minutes.items()}
        return cls(counted_at=counted_at, through=through, minutes=minutes, totals=totals)

    def thinned(self) -> "Hour":
        """Return the hour with all its events in its first minute."""
        return Hour.of({labels: {0: tally} for labels, tally in self.totals.items()}, counted_at=self.counted_at, through=self.through)

    def as_text(self) -> str:
        """Return labels and minutes as JSON."""
        told = [[dict(labels), {str(minute): tally for minute, tally in tallies.items()}] for labels, tallies in self.minutes.items()]
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str, *, counted_at: datetime, through: int) -> "Hour":
        """Read what `as_text` wrote."""
        told: list[tuple[dict[str, str], dict[str, list[float]]]] = json.loads(text)
        minutes = {labels_of(labels): {int(minute): Tally(*pair) for minute, pair in tallies.items()} for labels, tallies in told}
        return cls.of(minutes, counted_at=counted_at, through=through)


def labels_of(columns: Mapping[str, Any]) -> Labels:
    """Return the columns of a row that have a value as labels."""
    texts = {name: str(cell).lower() if isinstance(cell, bool) else str(cell) for name, cell in columns.items() if cell is not None}
    return tuple(sorted((name, text) for name, text in texts.items() if text))


def total(tallies: Iterable[Tally]) -> Tally:
    """Return all together."""
    bad = whole = 0.0
    for tally in tallies:
        bad += tally.bad
        whole += tally.total
    return Tally(bad, whole)


@dataclass(slots=True)
class Counts:
    """The hours of one SLO that are known: hour since 1970 → hour."""

    hours: dict[int, Hour] = field(default_factory=dict)

    def put(self, first: int, end: int, minutes: Minutes, *, counted_at: datetime) -> list[int]:
        """Take what was counted from minute `first` up to `end` (since 1970, excluded) in the place of what was known; return the hours.

        `first` begins an hour, or lies in one that is known: of that the rest stays as it was counted before.
        """
        changed = range(first // 60, (end + 59) // 60)
        for number in changed:
            low, high = max(first - number * 60, 0), min(end - number * 60, 60)
            known = self.hours.get(number)
            merged = {} if known is None else _outside(known.minutes, low, high)
            for labels, tallies in minutes.items():
                here = {minute - number * 60: tally for minute, tally in tallies.items() if low <= minute - number * 60 < high}
                if here:
                    merged[labels] = merged.get(labels, {}) | here
            through = high if known is None else max(high, known.through)
            afresh = known is None or (low == 0 and high >= known.through)
            self.hours[number] = Hour.of(merged, counted_at=counted_at if afresh or known is None else known.counted_at, through=through)
        return list(changed)

    def covers(self, begin: datetime, end: datetime) -> bool:
        """Say whether every hour of a window has been counted up to the window's end."""
        first, last = minute_of(begin), minute_of(end)
        for number in range(first // 60, last // 60 + 1):
            hour = self.hours.get(number)
            if (hour is None and last > number * 60) or (hour is not None and hour.through < min(last - number * 60, 60)):
                return False
        return True

    def sums(self, begin: datetime, end: datetime) -> dict[Labels, Tally]:
        """Return what happened from the minute of `begin` up to and with the minute of `end`, by labels."""
        first, last = minute_of(begin), minute_of(end)
        found: dict[Labels, Tally] = {}
        for number in range(first // 60, last // 60 + 1):
            hour = self.hours.get(number)
            if hour is None:
                continue
            low, high = first - number * 60, last - number * 60
            for labels, tally in hour.totals.items() if low <= 0 and high >= 59 else _within(hour, low, high):
                found[labels] = found[labels].plus(tally) if labels in found else tally
        return found

    def forget(self, before: int) -> None:
        """Forget hours before this one."""
        for number in [number for number in self.hours if number < before]:
            del self.hours[number]


def _within(hour: Hour, low: int, high: int) -> Iterator[tuple[Labels, Tally]]:
    for labels, tallies in hour.minutes.items():
        inside = [tally for minute, tally in tallies.items() if low <= minute <= high]
        if inside:
            yield labels, total(inside)


def _outside(minutes: Minutes, low: int, high: int) -> dict[Labels, dict[int, Tally]]:
    kept = {labels: {minute: tally for minute, tally in tallies.items() if not low <= minute < high} for labels, tallies in minutes.items()}
    return {labels: tallies for labels, tallies in kept.items() if tallies}
