"""A lake of nothing but events, which counts as the queries ask, and remembers what it was asked; and SLOs over it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from alerts.slo.counting import Counter
from alerts.slo.keeping import Forgotten, Kept
from alerts.slo.model import Objective
from alerts.slo.objectives import LoadedObjective
from storage.damage import Damage
from storage.errors import StorageError

NOW = datetime(2026, 11, 21, 12, 0, 27, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    return [text for text, _ in items]


@dataclass(frozen=True)
class Event:
    time: datetime
    bad: bool = False
    number: float = 1
    agent: str | None = "support"


@dataclass
class EventLake:
    """Answers the counting queries; `files` are (sealed at, first record, last record)."""

    events: list[Event] = field(default_factory=list)
    files: list[tuple[datetime, datetime, datetime]] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    too_long: timedelta = timedelta.max
    version: int = 0
    seconds_a_query: float = 0.0
    taken_seconds: float = 0.0

    def add(self, *events: Event, sealed: datetime | None = None) -> None:
        self.events += events
        times = [event.time for event in events]
        self.files.append((sealed or max(times), min(times), max(times)))
        self.version += 1

    def query(self, text: str, *, params: Mapping[str, Any] | None = None, **_: Any) -> pa.Table:
        given = params or {}
        self.taken_seconds += self.seconds_a_query
        begin, end = given["from_ts"].replace(tzinfo=UTC), given["to_ts"].replace(tzinfo=UTC)
        if end - begin > self.too_long:
            raise StorageError("finish the query", "stopped after 1 s", hint="narrow it")
        bad = "bad_events" in text
        if not bad:
            self.asked.append((begin, end))
        [unit] = re.findall(r"date_trunc\('(\w+)'", text)
        rows: dict[tuple[datetime, str | None], float] = {}
        for event in self.events:
            if begin <= event.time < end and (event.bad or not bad):
                start = event.time.replace(second=0, microsecond=0, **({"minute": 0} if unit == "hour" else {}))
                rows[start, event.agent] = rows.get((start, event.agent), 0) + event.number
        columns = {
            "minute": pa.array([time.replace(tzinfo=None) for time, _ in rows], pa.timestamp("us")),
            "number": pa.array(list(rows.values()), pa.float64()),
            "agent_name": pa.array([agent for _, agent in rows], pa.string()),
        }
        return pa.table(columns)

    @property
    def damaged(self) -> Sequence[Damage]:
        return ()

    @property
    def catalog(self) -> Any:
        def nanoseconds(moment: datetime) -> int:
            return int(moment.timestamp() * 1e6) * 1000

        return SimpleNamespace(
            live_files=lambda: [
                SimpleNamespace(sealed_ns=nanoseconds(sealed), min_ns=nanoseconds(first), max_ns=nanoseconds(last))
                for sealed, first, last in self.files
            ]
        )


def objective(percent: float = 99.9, *, name: str = "availability", lookback: str = "0", **alerting: Any) -> LoadedObjective:
    """An SLO over the events."""
    queries = {"error_query": "SELECT * FROM bad_events", "total_query": "SELECT * FROM all_events"}
    slo = Objective.model_validate(
        {"name": name, "objective": percent, "lookback": lookback, "sli": {"events": queries}, "alerting": alerting}
    )
    return LoadedObjective(file="slos.yaml", service="agents", interval=timedelta(seconds=30), labels={}, slo=slo)


def counted(lake: EventLake, at: datetime = NOW, *, of: LoadedObjective | None = None, reach: timedelta = 30 * DAY) -> Counter:
    """Count everything of a lake."""
    counter = Counter(of or objective(), Forgotten(), reach=reach)
    caught_up(counter, lake, at)
    return counter


def caught_up(counter: Counter, lake: EventLake, at: datetime) -> None:
    for _ in counter.steps(lake, at, clean=as_it_is, timeout_seconds=1):
        pass


def advanced(counter: Counter, lake: EventLake, at: datetime, *, spend_seconds: float = 1e9) -> list[tuple[datetime, datetime]]:
    """Evaluate once; return what was asked of the lake."""
    lake.asked.clear()
    counter.advance(lake, at, clean=as_it_is, timeout_seconds=1, spend_seconds=spend_seconds)
    return list(lake.asked)


def keeping(kept: Kept, *, of: LoadedObjective | None = None) -> Counter:
    return Counter(of or objective(), kept)
