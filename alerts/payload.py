"""What a notification says: Alertmanager's webhook message, version "4", exactly. Every receiver makes its own form of it.

It holds names, ids, numbers and deep links, never the content of prompts: labels are what a rule selected, annotations what it said
about labels and value, both cleaned by the redaction policy before they came here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from alerts.evaluate import Alert, State

VERSION: Final = "4"
NEVER: Final = "0001-01-01T00:00:00Z"
ACKNOWLEDGED: Final = "acknowledged"
"""The status of a message that somebody takes care of the group: ours, and only for receivers that acknowledge."""

Status = Literal["firing", "resolved", "acknowledged"]


def payload(
    alerts: Sequence[Alert],
    *,
    receiver: str,
    group_key: str,
    group_labels: Mapping[str, str],
    external_url: str,
    acknowledged: bool = False,
) -> dict[str, Any]:
    """Return the message (`template.Data` and `webhook.Message` of Alertmanager); `receiver` is the name that routes use."""
    ordered = sorted(alerts, key=lambda alert: (alert.fired_at or alert.active_at, alert.fingerprint))
    firing = any(alert.state is State.FIRING for alert in ordered)
    status: Status = ACKNOWLEDGED if acknowledged else "firing" if firing else "resolved"
    return {
        "version": VERSION,
        "groupKey": group_key,
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": dict(group_labels),
        "commonLabels": _common([alert.labels for alert in ordered]),
        "commonAnnotations": _common([alert.annotations for alert in ordered]),
        "externalURL": external_url,
        "alerts": [alert_data(alert, external_url) for alert in ordered],
    }


def alert_data(alert: Alert, external_url: str) -> dict[str, Any]:
    """Return one alert of the message."""
    firing = alert.state is State.FIRING
    return {
        "status": "firing" if firing else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.fired_at or alert.active_at),
        "endsAt": NEVER if firing or alert.resolved_at is None else rfc3339(alert.resolved_at),
        "generatorURL": deep_link(external_url, alert.labels),
        "fingerprint": alert.fingerprint,
    }


def deep_link(external_url: str, labels: Mapping[str, str]) -> str:
    """Return the page that explains the alert: its run where it names one, else the overview."""
    base = external_url.rstrip("/")
    return f"{base}/run?run={quote(labels['run_id'], safe='')}" if labels.get("run_id") else f"{base}/"


def rfc3339(moment: datetime) -> str:
    """Return a time as Go's JSON writes it: UTC, and a fraction only where there is one."""
    stamp = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (stamp.rstrip("0") if "." in stamp else stamp) + "Z"


def _common(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not texts:
        return {}
    first, *others = texts
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}
