"""What is told about a group of alerts: Alertmanager's webhook message, version "4", exactly (`template.Data`, `webhook.Message`).

It is the body of every message in the outbox, made once by the dispatcher; each kind of receiver renders it in its own form. It holds
names, ids, numbers and deep links, never the content of prompts: labels are what a rule selected, annotations what it said about labels and
value, both cleaned by the redaction policy before they came here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from alerts.evaluate import Alert, State

VERSION: Final = "4"
NEVER: Final = "0001-01-01T00:00:00Z"
ACKNOWLEDGED: Final = "acknowledged"
"""Status of messages to receivers with `acknowledges` alone; beside Alertmanager's keys they have `acknowledgement: {by, comment, at}`."""


def payload(
    alerts: Sequence[Alert], receiver: str, group_labels: Mapping[str, str], *, group_key: str, external_url: str
) -> dict[str, Any]:
    """Return the message that tells `receiver` (its name in the configuration) of these alerts of one group."""
    ordered = sorted(alerts, key=lambda alert: (alert.fired_at or alert.active_at, alert.fingerprint))
    return {
        "version": VERSION,
        "groupKey": group_key,
        "truncatedAlerts": 0,
        "status": "firing" if any(alert.state is State.FIRING for alert in ordered) else "resolved",
        "receiver": receiver,
        "groupLabels": dict(group_labels),
        "commonLabels": _common([alert.labels for alert in ordered]),
        "commonAnnotations": _common([alert.annotations for alert in ordered]),
        "externalURL": external_url,
        "alerts": [_told(alert, external_url) for alert in ordered],
    }


def deep_link(external_url: str, labels: Mapping[str, str]) -> str:
    """Return the page that explains the alert: its run where it names one, else the overview."""
    base = external_url.rstrip("/")
    return f"{base}/run?run={quote(labels['run_id'], safe='')}" if labels.get("run_id") else f"{base}/"


def rfc3339(moment: datetime) -> str:
    """Return a time as Go's JSON writes it: UTC, and a fraction only where there is one."""
    stamp = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (stamp.rstrip("0") if "." in stamp else stamp) + "Z"


def _told(alert: Alert, external_url: str) -> dict[str, Any]:
    return {
        "status": "firing" if alert.state is State.FIRING else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.fired_at or alert.active_at),
        "endsAt": NEVER if alert.state is State.FIRING or alert.resolved_at is None else rfc3339(alert.resolved_at),
        "generatorURL": deep_link(external_url, alert.labels),
        "fingerprint": alert.fingerprint,
    }


def _common(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not texts:
        return {}
    first, *others = texts
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}
