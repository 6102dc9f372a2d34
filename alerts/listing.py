"""What `auditlake alerts list` and the pages show: every rule and its alerts, from the state of the alert process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.evaluate import Alert, State
from alerts.state import AlertStore, RuleStatus

LATE_AFTER: Final = timedelta(seconds=10)
"""Beyond two intervals: then the scheduler is stuck, overloaded or dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One alert, or a rule that has none or cannot be evaluated."""

    alert: str
    group: str
    state: str  # inactive pending firing resolved error
    labels: Mapping[str, str]
    since: datetime | None  # pending: since the condition holds; firing, resolved, error: since it is in this state
    value: float | None
    summary: str
    last_evaluation: datetime | None
    late: bool
    error: str | None
    missed: int

    def as_row(self) -> dict[str, Any]:
        """Return the fields as a row to print."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def list_alerts(store: AlertStore, *, now: datetime) -> list[Listed]:
    """Return rules in error first, then what fires, waits and was resolved, then the quiet rules."""
    alerts = store.alerts()
    rows = [row for status in store.rules() for row in _of_rule(status, alerts.get(status.rule, {}), now)]
    order = [State.ERROR, State.FIRING, State.PENDING, State.RESOLVED, State.INACTIVE]
    return sorted(rows, key=lambda row: (order.index(State(row.state)), row.alert, sorted(row.labels.items())))


def _of_rule(status: RuleStatus, alerts: Mapping[str, Alert], now: datetime) -> Iterator[Listed]:
    def row(state: State, labels: Mapping[str, str], since: datetime | None, value: float | None, summary: str) -> Listed:
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
    for alert in alerts.values():
        since = {State.PENDING: alert.active_at, State.FIRING: alert.fired_at, State.RESOLVED: alert.resolved_at}[alert.state]
        yield row(alert.state, alert.labels, since, alert.value, alert.annotations.get("summary", ""))
    if not alerts and not status.error:
        yield row(State.INACTIVE, {}, None, None, "")


def is_late(status: RuleStatus, now: datetime) -> bool:
    """Say whether the rule should have been evaluated since."""
    return status.evaluated_at is None or now - status.evaluated_at > 2 * status.interval + LATE_AFTER
