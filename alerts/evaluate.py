"""The state machine of an alert: pure functions from what is known and what a rule returned to what is known next.

It is Prometheus' own (`rules/alerting.go`, `AlertingRule.Eval`), per label set: a new row is pending since now; it fires once it
has been there for `for`; a row that vanished drops a pending alert and resolves a firing one, after `keep_firing_for` where that is
given; a row that comes back to a resolved alert begins anew. Two rows with the same labels, or more alerts than `limit`, are errors.

An evaluation that failed does not come here at all: it changes nothing. A row whose value is NULL says "there is no data for these
labels"; the rule's `no_data` says what becomes of that alert.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

RESOLVED_RETENTION: Final = timedelta(minutes=15)
"""How long a resolved alert is remembered, as in Prometheus."""

ENRICHMENT: Final = ("severity_score", "top_contributors", "baseline", "example_runs")
"""The annotations that an alert is given when it begins to fire (`alerts.enrichment`): it keeps them while it fires."""

_FNV_OFFSET: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211
_FNV_MASK: Final = (1 << 64) - 1


class State(StrEnum):
    """Where an alert stands; the last three occur in transitions and lists only."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    INACTIVE = "inactive"
    ERROR = "error"
    NO_DATA = "no_data"


class NoData(StrEnum):
    """What becomes of an alert whose row has no value."""

    KEEP = "keep"  # nothing: it stays as it is
    OK = "ok"  # as if there were no row
    ALERTING = "alerting"  # as if the row had a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a rule's answer, with its final labels and rendered annotations."""

    labels: Mapping[str, str]
    value: float | None
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One label set of one rule and where it stands. Times are aware UTC."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float
    state: State
    active_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    keep_firing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An alert came into `state` at `at`."""

    state: State
    at: datetime
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one evaluation makes of a rule's alerts; `error` says why they were cleared."""

    alerts: Mapping[str, Alert]
    transitions: Sequence[Transition]
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The parts of a rule that the state machine needs."""

    wait: timedelta = timedelta()
    keep_firing_for: timedelta = timedelta()
    limit: int = 0
    no_data: NoData = NoData.KEEP


class SameLabels(ValueError):
    """Two rows of one answer have the same labels: Prometheus refuses such an evaluation, and so do we."""


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a label set: FNV-1a, 64 bit, over names and values in order, in hex."""
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for byte in b"%s\xff%s\xff" % (name.encode(), labels[name].encode()):
            digest = ((digest ^ byte) * _FNV_PRIME) & _FNV_MASK
    return f"{digest:016x}"


def step(alerts: Mapping[str, Alert], samples: Iterable[Sample], waits: Waits, *, at: datetime) -> Step:
    """Return the alerts after the evaluation at `at`, and the transitions that led there; raises SameLabels."""
    seen = _by_fingerprint(samples)
    following: dict[str, Alert] = {}
    transitions: list[Transition] = []
    for key in sorted(alerts.keys() | seen.keys()):
        before, sample = alerts.get(key), seen.get(key)
        if sample is None:
            after = _vanished(before, waits, at) if before is not None else None
        elif sample.value is None:
            after = _without_data(before, key, sample, waits, at)
        else:
            after = _present(before, key, sample, sample.value, waits, at)
        transitions += _changes(before, after, at)
        if after is not None:
            following[key] = after
    return _limited(Step(alerts=following, transitions=transitions), alerts, waits.limit, at)


def resumed(alerts: Mapping[str, Alert], downtime: timedelta) -> dict[str, Alert]:
    """Return the alerts after nothing was evaluated for `downtime`: that time does not count towards `for`."""

    def shifted(alert: Alert) -> Alert:
        return replace(alert, active_at=alert.active_at + downtime) if alert.state is State.PENDING else alert

    return {key: shifted(alert) for key, alert in alerts.items()}


def dropped(alerts: Mapping[str, Alert], *, at: datetime) -> list[Transition]:
    """Return the transitions that end these alerts: of a rule that is gone, or has more alerts than its limit."""
    return [_ended(alert, at) for alert in alerts.values() if alert.state is not State.RESOLVED]


def _by_fingerprint(samples: Iterable[Sample]) -> dict[str, Sample]:
    seen: dict[str, Sample] = {}
    for sample in samples:
        key = fingerprint(sample.labels)
        if key in seen:
            raise SameLabels("two rows have the same labels: group by every column that is not `value`")
        seen[key] = sample
    return seen


def _present(before: Alert | None, key: str, sample: Sample, value: float, waits: Waits, at: datetime) -> Alert:
    if before is None or before.state is State.RESOLVED:
        alert = Alert(fingerprint=key, labels=sample.labels, annotations=sample.annotations, value=value, state=State.PENDING, active_at=at)
    else:
        kept = {name: before.annotations[name] for name in ENRICHMENT if name in before.annotations}
        alert = replace(before, value=value, annotations={**kept, **sample.annotations}, keep_firing_since=None)
    if alert.state is State.PENDING and at - alert.active_at >= waits.wait:
        return replace(alert, state=State.FIRING, fired_at=at)
    return alert


def _without_data(before: Alert | None, key: str, sample: Sample, waits: Waits, at: datetime) -> Alert | None:
    if waits.no_data is NoData.ALERTING:
        return _present(before, key, sample, before.value if before is not None else 0.0, waits, at)
    if before is None:
        return None
    if waits.no_data is NoData.OK or before.state is State.RESOLVED:
        return _vanished(before, waits, at)
    return before


def _vanished(before: Alert, waits: Waits, at: datetime) -> Alert | None:
    if before.state is State.PENDING:
        return None
    if before.state is State.RESOLVED:
        expired = before.resolved_at is not None and at - before.resolved_at > RESOLVED_RETENTION
        return None if expired else before
    if waits.keep_firing_for > timedelta():
        since = before.keep_firing_since or at
        if at - since < waits.keep_firing_for:
            return replace(before, keep_firing_since=since)
    return replace(before, state=State.RESOLVED, resolved_at=at)


def _changes(before: Alert | None, after: Alert | None, at: datetime) -> list[Transition]:
    if after is None:
        return [_ended(before, at)] if before is not None and before.state is State.PENDING else []
    if before is not None and before.state is after.state:
        return []
    return [Transition(state=after.state, at=at, alert=after)]


def _ended(alert: Alert, at: datetime) -> Transition:
    state = State.RESOLVED if alert.state is State.FIRING else State.INACTIVE
    return Transition(state=state, at=at, alert=replace(alert, state=state, resolved_at=at))


def _limited(result: Step, before: Mapping[str, Alert], limit: int, at: datetime) -> Step:
    """Clear a rule with more pending and firing alerts than its limit, as Prometheus does; the ends of known alerts are told."""
    count = sum(alert.state is not State.RESOLVED for alert in result.alerts.values())
    if limit == 0 or count <= limit:
        return result
    return Step(alerts={}, transitions=dropped(before, at=at), error=f"exceeded limit of {limit} with {count} alerts")
