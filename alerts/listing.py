"""What `auditlake alerts list` and the pages show: every rule and its alerts, from the state of the alert process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.acks import Ack, Acks
from alerts.evaluate import Alert, State
from alerts.rule_model import RECORDING as RECORDS
from alerts.silences import Silence, Silences, muting
from alerts.state import AlertStore, RuleStatus

RECORDING: Final = "recording"
"""What a recording rule does, where an alerting rule has states."""

ORDER: Final[Sequence[str]] = (
    State.ERROR, State.NO_DATA, State.FIRING, State.PENDING, State.RESOLVED, State.INACTIVE, RECORDING,
)  # fmt: skip

LATE_AFTER: Final = timedelta(seconds=10)
"""Beyond two intervals: then the scheduler is stuck, overloaded or dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One alert, or a rule that has none or cannot be evaluated."""

    alert: str
    group: str
    state: str  # inactive pending firing resolved error no_data, or recording for a rule that records
    labels: Mapping[str, str]
    since: datetime | None  # pending: since the condition holds; firing, resolved, error, no_data: since it is in this state
    value: float | None
    summary: str
    last_evaluation: datetime | None
    late: bool
    error: str | None
    missed: int
    fingerprint: str | None = None  # of an alert
    acknowledged_by: str | None = None  # who takes care of it
    silence_id: str | None = None  # what keeps it from being told

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a row to print."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def list_alerts(store: AlertStore, *, now: datetime) -> list[Listed]:
    """Return rules in error first, then what has no data, fires, waits and was resolved, then the quiet rules."""
    alerts = store.alerts()
    marks = _Marks(acks=Acks(store).open(), silences=Silences(store).active(now), now=now)
    rows = [row for status in store.rules() for row in _of_rule(status, alerts.get(status.rule, {}), now, marks)]
    return sorted(rows, key=lambda row: (ORDER.index(row.state), row.alert, sorted(row.labels.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Marks:
    """What people did about alerts."""

    acks: Sequence[Ack]
    silences: Sequence[Silence]
    now: datetime

    def on(self, row: Listed, alert: Alert) -> Listed:
        """Return the row of an alert with them."""
        ack = next((ack for ack in self.acks if ack.holds_for(alert)), None)
        silence = muting(self.silences, alert.labels, self.now)
        return replace(row, fingerprint=alert.fingerprint, acknowledged_by=ack.created_by if ack else None, silence_id=silence)


def _of_rule(status: RuleStatus, alerts: Mapping[str, Alert], now: datetime, marks: _Marks) -> Iterator[Listed]:
    def row(state: str, labels: Mapping[str, str], since: datetime | None, value: float | None, summary: str) -> Listed:
        return Listed(
            alert=status.alertname,
            group=status.rule_group,
            state=str(state),
            labels={name: text for name, text in labels.items() if name != "alertname"},
            since=since,
            value=value,
            summary=summary,
            last_evaluation=status.evaluated_at,
            late=is_late(status, now),
            error=status.error,
            missed=status.missed,
        )

    if status.error:
        yield row(State.ERROR, {}, status.error_since, None, status.error)
    if status.no_data and not status.error:
        yield row(State.NO_DATA, {}, status.no_data_since, None, f"no data for {status.no_data} label set{'s' * (status.no_data != 1)}")
    for alert in alerts.values():
        since = {State.PENDING: alert.active_at, State.FIRING: alert.fired_at, State.RESOLVED: alert.resolved_at}[alert.state]
        yield marks.on(row(alert.state, alert.labels, since, alert.value, alert.annotations.get("summary", "")), alert)
    if status.rule.endswith(RECORDS) and not status.error:
        yield row(RECORDING, {}, None, None, f"{_values(status)} recorded")
    elif not alerts and not status.error and not status.no_data:
        yield row(State.INACTIVE, {}, None, None, "")


def _values(status: RuleStatus) -> str:
    count = (status.rows or 0) - status.no_data
    return f"{count} value{'s' * (count != 1)}"


def is_late(status: RuleStatus, now: datetime) -> bool:
    """Say whether the rule should have been evaluated since."""
    return status.evaluated_at is None or now - status.evaluated_at > 2 * status.interval + LATE_AFTER
