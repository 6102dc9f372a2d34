"""Transitions, each told once: to the lake as events `alert.transition`, which the view `alert_log` shows, and to the log as lines.

They wait in the outbox like notifications, so that every transition which was committed reaches both, at least once. A sealed lake
holds them as it holds everyone's records: redacted, in the ledger, in the story of the run that they name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol

import structlog

from alerts.errors import DeliveryFailed
from alerts.evaluate import State, Transition, fingerprint
from alerts.events import ERROR, INFO, LAKE, TRANSITION, WARNING, lake_message, read_event, written
from alerts.state import Message
from alerts.tables import rfc3339
from storage.errors import StorageError
from storage.journal import AttributeValue, Journal

LOG: Final = "log"
OWN_RECEIVERS: Final = (LAKE, LOG)
"""Names of the receivers that every alert process has."""


class Named(Protocol):
    """A rule's identity: `alerts.state.Evaluation` and `RuleStatus` have it."""

    @property
    def rule(self) -> str:
        """Key under which its state is kept."""

    @property
    def rule_group(self) -> str:
        """Name of its group."""

    @property
    def alertname(self) -> str:
        """Name of its alerts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeReceiver:
    """Writes events of every kind into the journal; the running sealer seals them."""

    journal: Journal
    name: str = LAKE
    send_resolved: bool = True
    most_at_once: int = 100

    def send(self, messages: Sequence[Message]) -> None:
        """Make all events durable with one sync."""
        try:
            self.journal.write([read_event(message.body) for message in messages])
        except StorageError as error:
            raise DeliveryFailed(self.name, str(error), retryable=True) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReceiver:
    """Writes one structured line a transition: firing as a warning, resolved as information, pending and its end for debugging."""

    name: str = LOG
    send_resolved: bool = True
    most_at_once: int = 100

    def send(self, messages: Sequence[Message]) -> None:
        """Log them in order."""
        log = structlog.get_logger(__name__)
        tell = {State.FIRING: log.warning, State.RESOLVED: log.info}
        for message in messages:
            told: dict[str, Any] = json.loads(message.body)["attributes"]
            labels = json.loads(told["auditlake.alert.labels"])
            tell.get(State(told["auditlake.alert.state"]), log.debug)(
                "alert",
                alertname=labels.pop("alertname"),
                state=told["auditlake.alert.state"],
                labels=labels,
                value=told["auditlake.alert.value"],
                since=told["auditlake.alert.active_at"],
            )


def transition_messages(rule: Named, transition: Transition) -> list[Message]:
    """Return the event of an alert's transition, for the lake and for the log."""
    alert = transition.alert
    attributes = _attributes(rule, transition.state, transition.at, alert.fingerprint, alert.labels, alert.active_at)
    attributes["auditlake.alert.summary"] = alert.annotations.get("summary", "")
    attributes["auditlake.alert.annotations"] = written(alert.annotations)
    attributes["auditlake.alert.value"] = float(alert.value)
    event = _message(rule, "alert", transition.state, transition.at, alert.fingerprint, alert.labels, attributes)
    return [event, replace(event, receiver=LOG, key=f"{event.key}/{LOG}")]


def error_message(rule: Named, error: str | None, *, at: datetime, since: datetime) -> Message:
    """Return the lake's event of a rule that can no longer be evaluated (state error), or can again (`error` None: state inactive)."""
    labels = {"alertname": rule.alertname, "rule_group": rule.rule_group}
    state = State.ERROR if error else State.INACTIVE
    attributes = _attributes(rule, state, at, fingerprint(labels), labels, since)
    attributes["auditlake.alert.summary"] = error or "the rule can be evaluated again"
    return _message(rule, "error", state, at, fingerprint(labels), labels, attributes)


def no_data_message(rule: Named, label_sets: int, *, at: datetime, since: datetime) -> Message:
    """Return the lake's event of a rule whose answer has rows without a value (state no_data), or no longer (0: state inactive)."""
    labels = {"alertname": rule.alertname, "rule_group": rule.rule_group}
    state = State.NO_DATA if label_sets else State.INACTIVE
    attributes = _attributes(rule, state, at, fingerprint(labels), labels, since)
    said = f"there is no data for {label_sets} label set{'s' if label_sets != 1 else ''}"
    attributes["auditlake.alert.summary"] = said if label_sets else "there is data again"
    return _message(rule, "no data", state, at, fingerprint(labels), labels, attributes)


def _attributes(
    rule: Named, state: State, at: datetime, identity: str, labels: Mapping[str, str], active_at: datetime
) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "auditlake.alert.name": rule.alertname,
        "auditlake.alert.group": rule.rule_group,
        "auditlake.alert.state": str(state),
        "auditlake.alert.fingerprint": identity,
        "auditlake.alert.labels": written(labels),
        "auditlake.alert.active_at": rfc3339(active_at),
        "auditlake.alert.evaluated_at": rfc3339(at),
    }
    for name, key in (("severity", "auditlake.alert.severity"), ("run_id", "auditlake.run.id")):
        if labels.get(name):
            attributes[key] = labels[name]
    return attributes


def _message(
    rule: Named, what: str, state: State, at: datetime, identity: str, labels: Mapping[str, str], attributes: Mapping[str, AttributeValue]
) -> Message:
    """Return the event; `what` tells apart those that a rule has of itself and of its alerts at one instant, such as two that are over."""
    key = sha256(json.dumps([rule.rule, what, identity, str(state), rfc3339(at)]).encode()).hexdigest()[:32]
    return lake_message(key, TRANSITION, attributes, at=at, severity=_severity(state, labels))


def _severity(state: State, labels: Mapping[str, str]) -> int:
    if state is State.ERROR:
        return ERROR
    if state is State.NO_DATA:
        return WARNING
    if state is not State.FIRING:
        return INFO
    return ERROR if labels.get("severity") == "critical" else WARNING
