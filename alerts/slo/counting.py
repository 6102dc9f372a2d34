"""Counts the events of one SLO: what is new at every evaluation, what came late, and the past piece by piece until its period is known.

A window of 30 days is never read at once: hours that were counted are kept, and what is asked of the lake is the newest minutes, the hours
that changed, and a few more of the past while there is time.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from alerts.errors import AlertsError
from alerts.rules import EPOCH
from alerts.samples import Clean, Queryable
from alerts.slo import plan
from alerts.slo.burn import LONGEST
from alerts.slo.counts import HOUR, Counts, Labels, Minutes, Tally, labels_of, minute_of, moment_of
from alerts.slo.keeping import Kept
from alerts.slo.objectives import PERIOD, LoadedObjective
from alerts.slo.plan import Span
from alerts.slo.sql import hour_counts, minute_counts, statement
from storage.errors import StorageError
from storage.sandbox import truncated_at
from storage.views import STORED, VIEWS, needed

if TYPE_CHECKING:
    import pyarrow as pa

    from storage.catalog import Catalog

KEEP: Final = 2 * PERIOD + timedelta(days=2)
"""So that the budget of each of the last 30 days can be told."""
DETAILED: Final = LONGEST + 2 * HOUR
"""Alerts look back so far; older hours are thinned."""
MOST_ROWS: Final = 500_000
MOST_LABEL_SETS: Final = 1_000
MOST_HOURS_AT_ONCE: Final = 168
QUICK_SECONDS: Final = 0.5
SLOW_SECONDS: Final = 2.0
SHARED_HOURS: Final = 6
"""A view over so many hours becomes a table that both queries read; one over more would be large."""
REST: Final = 20
"""What took a second is followed by so many of rest: an SLO takes a twentieth of a processor, unless one evaluation takes six seconds."""
LONGEST_REST: Final = timedelta(minutes=2)
IN_MEMORY: Final = frozenset({"ingest_log"})
"""Views that no file is opened for: a copy of all of it would cost more than it saves."""
SKEW: Final = timedelta(minutes=1)
"""Clocks of sealers and ours, and the moment between sealing and the catalog."""


class Countable(Queryable, Protocol):
    """What is counted in: `storage.lake.Lake`."""

    def together(
        self,
        texts: Mapping[str, str],
        *,
        shared: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> "dict[str, pa.Table]":
        """Run several, for which the views of `shared` are computed once; raises StorageError."""

    @property
    def version(self) -> int:
        """Changes with every change of the lake."""

    @property
    def catalog(self) -> "Catalog":
        """Which files there are."""


class Counter:
    """The counts of one SLO, kept up to date. Belongs to one thread."""

    def __init__(
        self,
        objective: LoadedObjective,
        kept: Kept,
        *,
        reach: timedelta = PERIOD,
        hours_at_once: int = 1,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`reach` is how far back it counts, `hours_at_once` how much of it the first query asks for; others follow what that took."""
        self.objective = objective
        self._kept = kept
        self._reach = reach
        self._timer = timer
        self._hours_at_once = hours_at_once
        self.counts_again = False  # somebody was erased: what was known of the past may not be known yet
        self._begin()

    def _begin(self) -> None:
        self.counts = Counts()
        self._loaded = False
        self.counted_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._failure: StorageError | AlertsError | None = None
        self._rest = timedelta()
        self._version: int | None = None
        self._sealed_ns = 0  # files that were sealed until then were looked at
        self._late: set[int] = set()
        self._near: set[int] = set()

    def forget(self) -> None:
        """Begin anew with what is kept: somebody was erased, and counts have labels."""
        self.counts_again = True
        self._begin()

    def advance(self, lake: Countable, at: datetime, *, clean: Clean, timeout_seconds: float, spend_seconds: float) -> None:
        """Count what is new at `at`, and for about `spend_seconds` what is due of the past. Raises StorageError and AlertsError.

        The second call with the same `at` does nothing: several alerts look at the same counts. So does one that comes too soon after what
        took long: `counted_at` says as of when the counts are. What failed fails again until then, without asking the lake.
        """
        if self._asked_at is not None and self._asked_at <= at < self._asked_at + max(self._rest, timedelta(microseconds=1)):
            if self._failure is not None:
                raise self._failure
            return
        begun = self._timer()
        self._failure = None
        try:
            for number, _ in enumerate(self.steps(lake, at, clean=clean, timeout_seconds=timeout_seconds)):
                if number > 0 and self._timer() - begun > spend_seconds:  # the newest, and at least one step of the past
                    break
            self.counted_at = at
        except (StorageError, AlertsError) as error:
            self._failure = error
            raise
        finally:
            self._asked_at = at
            self._rest = min(timedelta(seconds=REST * (self._timer() - begun)), LONGEST_REST)

    def steps(self, lake: Countable, at: datetime, *, clean: Clean, timeout_seconds: float) -> Iterator[float]:
        """Count everything that is due, a step each time; yield how much of it is done (0 to 1)."""
        self._prepare(lake, at)
        self._count(lake, plan.newest(self.counts.hours, at), at, clean, timeout_seconds)
        yield 0.0
        settling = self.objective.slo.lookback
        due = plan.older(self.counts.hours, self._late, at, near=self._near, reach=self._reach, settling=settling)
        left = total = sum(span.hours for span in due)
        for span in due:
            end = span.end
            while end > span.first:
                piece = plan.pieces(Span(first=span.first, end=end), self._hours_at_once)[0]
                if not self._tried(lake, piece, at, clean, timeout_seconds):
                    continue  # in smaller pieces
                end = piece.first
                left -= piece.hours
                yield 1 - left / total

    def _prepare(self, lake: Countable, at: datetime) -> None:
        if not self._loaded:
            self.counts.hours.update(self._kept.load(self.objective.identity))
            self._loaded = True
        self.counts.forget(minute_of(at - KEEP) // 60)
        self._look_for_late(lake, at)

    def _look_for_late(self, lake: Countable, at: datetime) -> None:
        """Find the hours that files which were sealed since they were counted can have changed; the newest minutes are counted anyway."""
        version = lake.version
        if version == self._version:
            return
        skew_ns = SKEW // timedelta(microseconds=1) * 1000
        files = [file for file in lake.catalog.live_files() if file.sealed_ns + skew_ns >= self._sealed_ns]
        times = [(_aware(file.sealed_ns) + SKEW, _aware(file.min_ns), _aware(file.max_ns)) for file in files]
        before = [file for file in times if file[1] < at - plan.NEWEST]
        self._late |= plan.stale_hours(before, self.counts.hours, apart=timedelta())
        self._near |= plan.stale_hours(times, self.counts.hours, apart=self.objective.slo.lookback)
        self._version = version
        self._sealed_ns = max((file.sealed_ns for file in files), default=self._sealed_ns)

    def _tried(self, lake: Countable, piece: Span, at: datetime, clean: Clean, timeout_seconds: float) -> bool:
        """Count a piece; false when it was too much for one query, and the next will be smaller."""
        begun = self._timer()
        try:
            self._count(lake, piece, at, clean, timeout_seconds)
        except (StorageError, AlertsError):
            if piece.hours == 1:
                raise
            self._hours_at_once = max(piece.hours // 4, 1)
            return False
        took = self._timer() - begun
        if took < QUICK_SECONDS:
            self._hours_at_once = min(2 * self._hours_at_once, MOST_HOURS_AT_ONCE)
        elif took > SLOW_SECONDS:
            self._hours_at_once = max(self._hours_at_once // 2, 1)
        return True

    def _count(self, lake: Countable, span: Span, at: datetime, clean: Clean, timeout_seconds: float) -> None:
        minutes = read_minutes(lake, self.objective, span, at, clean=clean, timeout_seconds=timeout_seconds)
        changed = self.counts.put(span.first, span.end, minutes, counted_at=at)
        afresh = {number for number in changed if self.counts.hours[number].counted_at == at}
        self._late -= afresh
        self._near -= afresh
        over = {number: self.counts.hours[number] for number in changed if moment_of(number * 60) + HOUR <= at}
        if over:
            self._kept.save(self.objective.identity, over | self._thinned(at), before=minute_of(at - KEEP) // 60)

    def _thinned(self, at: datetime) -> dict[int, Any]:
        """Thin the hour that no alert looks into any more."""
        number = minute_of(at - DETAILED) // 60 - 1
        hour = self.counts.hours.get(number)
        if hour is None or all(set(tallies) <= {0} for tallies in hour.minutes.values()):
            return {}
        self.counts.hours[number] = hour.thinned()
        return {number: self.counts.hours[number]}


def read_minutes(lake: Countable, objective: LoadedObjective, span: Span, at: datetime, *, clean: Clean, timeout_seconds: float) -> Minutes:
    """Count in the lake, up to `at`: labels → minute since 1970 → events. Raises StorageError and AlertsError."""
    begin, end = moment_of(span.first), min(moment_of(span.end), at)
    begin_ns, end_ns = _unix_ns(begin - objective.slo.lookback), _unix_ns(end + objective.slo.lookback)
    if not _has_records(lake, objective, begin_ns, end_ns):
        return {}
    around = hour_counts() if end <= at - DETAILED else minute_counts()
    events = objective.slo.sli.events
    texts = {"error_query": statement(around, events.error_query), "total_query": statement(around, events.total_query)}
    params = {**objective.slo.params, "from_ts": begin.replace(tzinfo=None), "to_ts": end.replace(tzinfo=None)}
    shared = sorted((_views(events.error_query) & _views(events.total_query)) - IN_MEMORY)
    if shared and span.hours <= SHARED_HOURS:
        tables = lake.together(texts, shared=shared, params=params, timeout_seconds=timeout_seconds, from_ns=begin_ns, to_ns=end_ns)
    else:
        tables = {
            name: lake.query(text, params=params, timeout_seconds=timeout_seconds, max_rows=MOST_ROWS, from_ns=begin_ns, to_ns=end_ns)
            for name, text in texts.items()
        }
    return _cleaned(_tallies(objective, tables), clean)


def _tallies(objective: LoadedObjective, tables: "Mapping[str, pa.Table]") -> dict[Labels, dict[int, Tally]]:
    bad, all_events = (_by_minute(objective, tables[name]) for name in ("error_query", "total_query"))
    found: dict[Labels, dict[int, Tally]] = {}
    for (labels, minute), number in all_events.items():
        found.setdefault(labels, {})[minute] = Tally(bad.get((labels, minute), 0), number)
    for labels, minute in bad.keys() - all_events.keys():
        found.setdefault(labels, {})[minute] = Tally(bad[labels, minute], 0)
    if len(found) > MOST_LABEL_SETS:
        raise AlertsError("count the events of", objective.name, hint=f"more than {MOST_LABEL_SETS} label sets: group by fewer columns")
    return found


def _has_records(lake: Countable, objective: LoadedObjective, begin_ns: int, end_ns: int) -> bool:
    """Say whether any file can hold something of this window: binding a view costs more than looking that up."""
    events = objective.slo.sli.events
    names = needed(f"{events.error_query} {events.total_query}")
    tables = {STORED[name] for name in names if name in STORED}
    if not tables or "ingest_log" in names:  # of what is in no file
        return True
    return any(file.table_name in tables for file in lake.catalog.live_files(from_ns=begin_ns, to_ns=end_ns))


def _views(query: str) -> set[str]:
    return {name for name in VIEWS if re.search(rf"\b{name}\b", query)}


def _by_minute(objective: LoadedObjective, table: "pa.Table") -> dict[tuple[Labels, int], float]:
    if truncated_at(table) is not None:
        raise AlertsError("count the events of", objective.name, hint="too many label sets: group by fewer columns")
    found: dict[tuple[Labels, int], float] = {}
    for row in table.to_pylist():
        minute, number = row.pop("minute"), row.pop("number")
        key = labels_of(row), (minute - EPOCH) // timedelta(minutes=1)
        found[key] = found.get(key, 0) + (number or 0)
    return found


def _cleaned(minutes: dict[Labels, dict[int, Tally]], clean: Clean) -> Minutes:
    """Clean all labels in one call: queries can build texts that stood in no record. What becomes the same is added up."""
    texts = iter(clean([(text, name) for labels in minutes for name, text in labels]))
    found: dict[Labels, dict[int, Tally]] = {}
    for labels, tallies in minutes.items():
        here = found.setdefault(tuple((name, next(texts)) for name, _ in labels), {})
        for minute, tally in tallies.items():
            here[minute] = here[minute].plus(tally) if minute in here else tally
    return found


def _aware(unix_ns: int) -> datetime:
    return moment_of(0) + timedelta(microseconds=unix_ns // 1000)


def _unix_ns(moment: datetime) -> int:
    return (moment - moment_of(0)) // timedelta(microseconds=1) * 1000
