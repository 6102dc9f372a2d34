"""What becomes of alerts, as events in the lake: notifications, silences and acknowledgements beside the transitions; view `alert_log`.

The alert process puts its events into the outbox, in the transaction that makes them true: `lake_message`, `notification_message`. A
command records its own as what a person did: `cli.access.AccessLog.record` with the attributes of `silence_attributes` and
`ack_attributes`. Nothing here holds content: names, ids, label sets, times, and what the person gave as the reason.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal

from alerts.state import Message
from alerts.tables import rfc3339
from storage.journal import AttributeValue, JournalEvent

LAKE: Final = "lake"
"""The receiver in the outbox that writes events into the lake."""

TRANSITION: Final = "alert.transition"
NOTIFICATION: Final = "alert.notification"
SILENCE: Final = "alert.silence"
ACK: Final = "alert.ack"
INFO, WARNING, ERROR = 9, 13, 17
"""OTLP severity numbers."""

MOST_FINGERPRINTS: Final = 100
"""More alerts of one notification are counted, not named."""

Delivered = Literal["sent", "failed"]
"""The receiver took it; or it was given up."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def lake_message(
    key: str, name: str, attributes: Mapping[str, AttributeValue], *, at: datetime, severity: int = INFO, group_key: str = ""
) -> Message:
    """Return an event as a message of the outbox to the lake. `key` is the same whenever the same thing is told."""
    body = {
        "name": name,
        "time_ns": (at - _EPOCH) // timedelta(microseconds=1) * 1000,
        "severity": severity,
        "attributes": dict(attributes),
    }
    return Message(key=key, receiver=LAKE, group_key=group_key or key, body=json.dumps(body), created_at=at)


def read_event(body: str) -> JournalEvent:
    """Return the event of a message that `lake_message` made; one without a name is a transition."""
    event = json.loads(body)
    return JournalEvent(
        name=event.get("name", TRANSITION), time_ns=event["time_ns"], severity=event["severity"], attributes=event["attributes"]
    )


def written(labels: Mapping[str, str]) -> str:
    """Return labels or annotations as the JSON object that stands in an event."""
    return json.dumps(dict(labels), sort_keys=True, ensure_ascii=False)


def notification_message(
    message: Message, payload: Mapping[str, Any], *, outcome: Delivered, at: datetime, attempts: int, reason: str = ""
) -> Message:
    """Return the event that `message` was sent, or failed for good, to be stored with `delivered_at` or `dead` in one transaction.

    `payload` is what Alertmanager's webhook would get: of it, `status`, `groupLabels` and the `alerts`' `status` and `fingerprint` are
    told. `attempts` counts all that were made; `reason` says why it failed (a status, the name of an error: never what the receiver said).
    """
    labels = payload.get("groupLabels", {})
    attributes: dict[str, AttributeValue] = {
        "auditlake.alert.state": str(payload.get("status", "firing")),
        "auditlake.alert.receiver": message.receiver,
        "auditlake.alert.group_key": message.group_key,
        "auditlake.alert.labels": written(labels),
        "auditlake.alert.attempts": attempts,
        "auditlake.alert.firing": _told(payload, "firing"),
        "auditlake.alert.resolved": _told(payload, "resolved"),
        "auditlake.outcome": outcome,
    }
    if labels.get("alertname"):
        attributes["auditlake.alert.name"] = labels["alertname"]
    if reason:
        attributes["auditlake.alert.error"] = reason
    key = sha256(json.dumps([message.key, outcome, attempts]).encode()).hexdigest()[:32]
    return lake_message(key, NOTIFICATION, attributes, at=at, severity=INFO if outcome == "sent" else ERROR)


def silence_attributes(
    silence_id: str, state: Literal["pending", "active", "expired"], *, matchers: Sequence[str], starts_at: datetime, ends_at: datetime
) -> dict[str, AttributeValue]:
    """Return what an event `alert.silence` says beside who and why: which alerts (`alertname="X"`), from when to when, its state."""
    return {
        "auditlake.alert.silence_id": silence_id,
        "auditlake.alert.state": state,
        "auditlake.alert.matchers": list(matchers),
        "auditlake.alert.starts_at": rfc3339(starts_at),
        "auditlake.alert.ends_at": rfc3339(ends_at),
    }


def ack_attributes(
    alertname: str, fingerprint: str, labels: Mapping[str, str], state: Literal["acknowledged", "expired"]
) -> dict[str, AttributeValue]:
    """Return what an event `alert.ack` says beside who and why: of which alert, and whether it holds from now on or ends."""
    attributes: dict[str, AttributeValue] = {
        "auditlake.alert.name": alertname,
        "auditlake.alert.fingerprint": fingerprint,
        "auditlake.alert.labels": written(labels),
        "auditlake.alert.state": state,
    }
    for name, key in (("severity", "auditlake.alert.severity"), ("run_id", "auditlake.run.id")):
        if labels.get(name):
            attributes[key] = labels[name]
    return attributes


def _told(payload: Mapping[str, Any], status: str) -> list[str]:
    """Return the fingerprints of the payload's alerts of a status, and how many more there are."""
    found = [str(alert["fingerprint"]) for alert in payload.get("alerts", ()) if alert["status"] == status]
    more = len(found) - MOST_FINGERPRINTS
    return [*found[:MOST_FINGERPRINTS], *([f"+{more}"] if more > 0 else [])]
