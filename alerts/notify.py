"""Receivers of notifications, and what is sent to them: Alertmanager's webhook, version "4", exactly.

A payload holds names, ids, numbers and deep links, never the content of prompts: labels are what a rule selected, annotations what
it said about labels and value, both cleaned by the redaction policy before they came here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx

from alerts.errors import DeliveryFailed
from alerts.evaluate import Alert, State
from alerts.state import Message

VERSION: Final = "4"
NEVER: Final = "0001-01-01T00:00:00Z"
RETRYABLE_STATUS: Final = frozenset({408, 425, 429})
"""Beside 5xx: what a receiver may take later. Any other 4xx says that it never will."""


class Receiver(Protocol):
    """Takes messages of the outbox."""

    @property
    def name(self) -> str:
        """Name in the outbox; stays the same across restarts."""

    @property
    def send_resolved(self) -> bool:
        """Whether it also wants to know that an alert resolved."""

    @property
    def most_at_once(self) -> int:
        """How many messages one `send` takes."""

    def send(self, messages: Sequence[Message]) -> None:
        """Hand messages over; returns only when the receiver has all of them, else raises DeliveryFailed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceiver:
    """Posts Alertmanager's JSON to a URL, with the idempotency key in the header `Idempotency-Key`."""

    name: str
    url: str = field(repr=False)  # may hold credentials: never logged
    timeout_seconds: float = 10.0
    send_resolved: bool = True
    most_at_once: int = 1

    def send(self, messages: Sequence[Message]) -> None:
        """Post each payload; a redirect, a refusal or silence is a failure."""
        for message in messages:
            headers = {"Content-Type": "application/json", "User-Agent": "auditlake", "Idempotency-Key": message.key}
            try:
                with httpx.Client(timeout=self.timeout_seconds, follow_redirects=False, trust_env=False) as client:
                    status = client.post(self.url, content=message.body.encode(), headers=headers).status_code
            except httpx.TransportError as error:
                raise DeliveryFailed(self.name, type(error).__name__, retryable=True) from None
            except (httpx.InvalidURL, httpx.HTTPError) as error:
                raise DeliveryFailed(self.name, type(error).__name__, retryable=False) from None
            if not 200 <= status < 300:
                raise DeliveryFailed(self.name, f"status {status}", retryable=status >= 500 or status in RETRYABLE_STATUS)


def notifications(
    alerts: Iterable[Alert], changed: Sequence[Alert], receivers: Sequence[Receiver], *, at: datetime, external_url: str
) -> list[Message]:
    """Return the messages that tell about alerts that began or ceased to fire: one a receiver and alert name.

    As in Alertmanager, the message of a group (`group_by: [alertname]`) holds all its firing alerts beside those that just resolved.
    `changed` holds the alerts that made a transition into firing or resolved at `at`, `alerts` all that are known.
    """
    known = list(alerts)
    messages = []
    for name in sorted({alert.labels["alertname"] for alert in changed}):
        firing = [alert for alert in known if alert.labels["alertname"] == name and alert.state is State.FIRING]
        news = [alert for alert in changed if alert.labels["alertname"] == name]
        resolved = [alert for alert in news if alert.state is State.RESOLVED]
        began = any(alert.state is State.FIRING for alert in news)
        for receiver in receivers:
            if not began and not receiver.send_resolved:
                continue
            told = [*firing, *(resolved if receiver.send_resolved else [])]
            key = group_key({"alertname": name})
            body = json.dumps(payload(told, receiver.name, {"alertname": name}, external_url=external_url), sort_keys=True)
            messages.append(
                Message(key=idempotency_key(receiver.name, key, at, news), receiver=receiver.name, group_key=key, body=body, created_at=at)
            )
    return messages


def payload(alerts: Sequence[Alert], receiver: str, group_labels: Mapping[str, str], *, external_url: str) -> dict[str, Any]:
    """Return Alertmanager's webhook message, version 4 (`template.Data` and `webhook.Message` of Alertmanager)."""
    ordered = sorted(alerts, key=lambda alert: (alert.fired_at or alert.active_at, alert.fingerprint))
    return {
        "version": VERSION,
        "groupKey": group_key(group_labels),
        "truncatedAlerts": 0,
        "status": "firing" if any(alert.state is State.FIRING for alert in ordered) else "resolved",
        "receiver": receiver,
        "groupLabels": dict(group_labels),
        "commonLabels": _common([alert.labels for alert in ordered]),
        "commonAnnotations": _common([alert.annotations for alert in ordered]),
        "externalURL": external_url,
        "alerts": [
            {
                "status": "firing" if alert.state is State.FIRING else "resolved",
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "startsAt": rfc3339(alert.fired_at or alert.active_at),
                "endsAt": NEVER if alert.state is State.FIRING or alert.resolved_at is None else rfc3339(alert.resolved_at),
                "generatorURL": deep_link(external_url, alert.labels),
                "fingerprint": alert.fingerprint,
            }
            for alert in ordered
        ],
    }


def deep_link(external_url: str, labels: Mapping[str, str]) -> str:
    """Return the page that explains the alert: its run where it names one, else the overview."""
    base = external_url.rstrip("/")
    return f"{base}/run?run={quote(labels['run_id'], safe='')}" if labels.get("run_id") else f"{base}/"


def group_key(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's key of a group under the root route: `{}:{alertname="AgentDown"}`."""
    pairs = ", ".join(f"{name}={json.dumps(labels[name], ensure_ascii=False)}" for name in sorted(labels))
    return f"{{}}:{{{pairs}}}"


def idempotency_key(receiver: str, group: str, at: datetime, changed: Iterable[Alert]) -> str:
    """Return the key of a message: the same when the same evaluation is told to the same receiver again."""
    news = sorted(f"{alert.fingerprint} {alert.state}" for alert in changed)
    return sha256(json.dumps([receiver, group, rfc3339(at), news]).encode()).hexdigest()[:32]


def rfc3339(moment: datetime) -> str:
    """Return a time as Go's JSON writes it: UTC, and a fraction only where there is one."""
    stamp = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (stamp.rstrip("0") if "." in stamp else stamp) + "Z"


def _common(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not texts:
        return {}
    first, *others = texts
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}
