"""Counting what was spent, day by day, from the views: exactly what `steps` and `runs` count, and only where something has changed.

    which days have other rows than when they were counted? → count those again, whole → replace them

A mark of each day says what the catalog has of it, so late records, erased ones, corrected prices and traces that join another run have
their days counted again, and nothing else is read. Most of the time that is today. A run that goes on past midnight is looked at with the
hours around it. What expired, or stands in a damaged file, was spent all the same: a day that only lost rows stays as it was counted.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from alerts.budgets.forecast import HISTORY_DAYS
from alerts.budgets.model import Budget, Period, midnight
from alerts.budgets.standing import Cell, Ledger
from alerts.budgets.store import BudgetStore, Counted
from storage.catalog import Catalog
from storage.daily import day_marks, erased_since, joined_days, rows_of
from storage.views import query_sql

if TYPE_CHECKING:
    import pyarrow as pa

AROUND: Final = timedelta(hours=6)
"""Records that are looked at before and after a day: what a run does on both sides of midnight is one story."""
SLACK: Final = timedelta(minutes=15)
"""How much older than the moment of counting `as_of` may be, and the clocks of who erases."""
HISTORY_SECONDS: Final = 10.0
"""How long one round may count days that only the forecast looks at."""
_DAY: Final = timedelta(days=1)
_NEVER: Final = ""


class DayLake(Protocol):
    """Reads the views: `storage.lake.Lake`."""

    @property
    def catalog(self) -> Catalog:
        """The catalog, read-only."""

    def sql(
        self,
        text: str,
        params: Mapping[str, Any] | None = None,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        rows: tuple[int | None, int | None] = (None, None),
    ) -> "pa.Table":
        """Run SQL of ours over the views; raises StorageError."""


class Accountant:
    """Keeps the spending of a data directory up to date, in its store and in `ledger`, which is in memory. Belongs to one thread."""

    def __init__(self, lake: DayLake, store: BudgetStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._store = store
        self._monotonic = monotonic
        self._marks = store.marks()
        counted = store.counted()
        self._joined = counted.joined if counted is not None else 0
        self._counted_at = counted.as_of if counted is not None else None
        self._dirty: set[date] = set()  # days to count again although their marks may say nothing of it
        self.ledger = Ledger()
        for day, cells in store.spending().items():
            self.ledger.replace(date.fromisoformat(day), cells)

    def refresh(self, budgets: Sequence[Budget], *, as_of: datetime) -> bool:
        """Count what has changed up to `as_of`; False while days of history still have to be counted. Raises StorageError, DatabaseError.

        When it returns, all days of the periods of these budgets are right.
        """
        today = as_of.date()
        first = min((budget.period.begin(today) for budget in budgets), default=today)
        looks_back = any(budget.forecast and budget.period is not Period.DAY for budget in budgets)
        wanted = min(first, today - HISTORY_DAYS * _DAY) if looks_back else first
        marks = day_marks(self._lake.catalog, wanted.isoformat())
        joined, version = joined_days(self._lake.catalog, self._joined)
        self._find_dirty(marks, joined, wanted)
        started = self._monotonic()
        for day in sorted(self._dirty, reverse=True):
            if day < first and self._monotonic() - started > HISTORY_SECONDS:
                break
            self._count(day, marks.get(day.isoformat(), _NEVER))
        self._forget(wanted)
        if not self._dirty:
            self._joined = version  # not before: after a crash they are asked for again
        self._counted_at = as_of
        self._store.store_counted(Counted(as_of=as_of, joined=self._joined))
        return not self._dirty

    def covers(self, budgets: Sequence[Budget], *, at: datetime) -> bool:
        """Whether every day of the periods of these budgets was counted at some time. Raises StorageError."""
        today = at.date()
        first = min((budget.period.begin(today) for budget in budgets), default=today)
        return all(day in self._marks for day in day_marks(self._lake.catalog, first.isoformat()))

    def _find_dirty(self, marks: Mapping[str, str], joined: Iterable[str], since: date) -> None:
        """Note the days to count again: what has changed, and the day behind each, into which its runs may go on."""
        changed = [day for day in marks.keys() | self._marks.keys() if marks.get(day, _NEVER) != self._marks.get(day, _NEVER)]
        for day in self._expired(marks, changed):
            changed.remove(day)
            self._marks[day] = marks.get(day, _NEVER)
            self._store.store_mark(day, self._marks[day])
        for date_of in map(date.fromisoformat, (*changed, *joined)):
            self._dirty.add(date_of)
            if (date_of + _DAY).isoformat() in marks:
                self._dirty.add(date_of + _DAY)
        self._dirty = {day for day in self._dirty if day >= since}

    def _expired(self, marks: Mapping[str, str], changed: Iterable[str]) -> list[str]:
        """Return the days of which rows went, none came, and nobody erased any since they were counted."""
        fewer = [day for day in changed if rows_of(marks.get(day, _NEVER)) < rows_of(self._marks.get(day, _NEVER))]
        if not fewer or self._counted_at is None or erased_since(self._lake.catalog, _ns(self._counted_at - SLACK)):
            return []
        return fewer

    def _count(self, day: date, mark: str) -> None:
        begin, end = midnight(day), midnight(day + _DAY)
        window = (_ns(begin - AROUND), _ns(end + AROUND))
        params = {"from_time": begin.replace(tzinfo=None), "to_time": end.replace(tzinfo=None)}
        table = self._lake.sql(query_sql("budget_day"), params, from_ns=window[0], to_ns=window[1], rows=window)
        cells = [Cell(**row) for row in table.to_pylist()]
        self._store.store_day(day.isoformat(), mark, cells)
        self._marks[day.isoformat()] = mark
        self.ledger.replace(day, cells)
        self._dirty.discard(day)

    def _forget(self, before: date) -> None:
        if any(day < before.isoformat() for day in self._marks):
            self._store.forget_days(before.isoformat())
            self._marks = {day: mark for day, mark in self._marks.items() if day >= before.isoformat()}
            self.ledger.forget(before)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000
