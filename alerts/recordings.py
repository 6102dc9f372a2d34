"""What recording rules make: values under a name, with labels, as Prometheus' recorded series; the view `recordings` shows them.

They are events `rule.recorded` of the lake, written before the evaluation is committed: one that is repeated after a crash records the
same again, under the same name, labels and time, which the view shows once. Rules that follow read a value at once, before its event
is sealed: the reader of the alert process knows what was recorded lately.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from storage.journal import AttributeValue, Journal, JournalEvent

if TYPE_CHECKING:
    import pyarrow as pa

EVENT_NAME: Final = "rule.recorded"
REMEMBERED: Final = timedelta(minutes=10)
"""How long a value is known beside the lake's files: longer than sealing takes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One value that a recording rule recorded."""

    name: str
    rule_group: str
    time: datetime  # $eval_ts, as in Prometheus
    labels: Mapping[str, str]
    value: float


Record = Callable[[Sequence[Recording]], None]
"""Makes recordings durable; raises StorageError."""


class Remembering(Protocol):
    """A reader of the lake that can be told what is not in its files yet: `storage.lake.Lake`."""

    def remember(self, recordings: "pa.Table", *, since: datetime) -> None:
        """Show these rows in the view `recordings`, and those of earlier calls that are not before `since` (naive UTC)."""


def nowhere(recordings: Sequence[Recording]) -> None:
    """Record nothing: evaluations for a test, or of the past."""
    del recordings


class Recorder:
    """Takes what is recorded: makes it durable, and lets the rules that follow read it."""

    def __init__(self, lake: Remembering, record: Record = nowhere, *, remembered: timedelta = REMEMBERED) -> None:
        self._lake = lake
        self._record = record
        self._remembered = remembered

    def take(self, recordings: Sequence[Recording]) -> None:
        """Record; raises StorageError when that cannot be made durable, and then no rule reads it."""
        if not recordings:
            return
        self._record(recordings)
        newest = max(recording.time for recording in recordings)
        self._lake.remember(as_table(recordings), since=(newest - self._remembered).replace(tzinfo=None))

    def forget(self) -> None:
        """Rules read from now on what is in the lake's files: somebody was erased."""
        self._lake.remember(as_table([]), since=datetime.max)  # noqa: DTZ901 - naive, as times of the lake are


def as_table(recordings: Sequence[Recording]) -> "pa.Table":
    """Return recordings as rows of the view `recordings`."""
    import pyarrow as pa

    columns = {
        "time": pa.array([recording.time.replace(tzinfo=None) for recording in recordings], pa.timestamp("us")),
        "name": pa.array([recording.name for recording in recordings], pa.string()),
        "rule_group": pa.array([recording.rule_group for recording in recordings], pa.string()),
        "labels": pa.array([_text(recording.labels) for recording in recordings], pa.string()),
        "value": pa.array([recording.value for recording in recordings], pa.float64()),
    }
    return pa.table(columns)


def journalled(journal: Journal) -> Record:
    """Return what makes recordings durable: as events in the journal of the alert process."""

    def record(recordings: Sequence[Recording]) -> None:
        journal.write([_event(recording) for recording in recordings])

    return record


def _event(recording: Recording) -> JournalEvent:
    attributes: dict[str, AttributeValue] = {
        "auditlake.recording.name": recording.name,
        "auditlake.recording.group": recording.rule_group,
        "auditlake.recording.labels": _text(recording.labels),
        "auditlake.recording.value": float(recording.value),
    }
    return JournalEvent(name=EVENT_NAME, time_ns=(recording.time - _EPOCH) // timedelta(microseconds=1) * 1000, attributes=attributes)


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True, ensure_ascii=False)
