"""PagerDuty's Events API v2: a group is one incident. Its key is the hash of the group's key, as with Alertmanager, so that what changes
in a group, its acknowledgement and its end reach the incident that it opened.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from alerts.outbox import Message
from alerts.payload import ACKNOWLEDGED
from alerts.receivers.http import Http
from alerts.receivers.integration import Named, payloads
from alerts.receivers.secret import Secret, secret_text
from alerts.receivers.wording import FIRING, RESOLVED, instances, is_link, shortened, subject, told

DEFAULT_URL: Final = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})
DEFAULT_SEVERITY: Final = "error"
MOST_SUMMARY_CHARS: Final = 1024
MOST_EVENT_BYTES: Final = 512_000
MOST_LINKS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyReceiver(Named):
    """Sends events for the integration key of a service. `severity` unset: the alerts' own label, where PagerDuty knows its value."""

    routing_key: Secret = field(repr=False)
    url: str = DEFAULT_URL
    severity: str | None = None
    client: str = "auditlake"
    client_url: str | None = None
    acknowledges: bool = True
    http: Http = field(default_factory=Http)

    def send(self, messages: Sequence[Message]) -> None:
        """Send each event; raises DeliveryFailed. 429 and 5xx may pass, a 400 says that the event is wrong."""
        for message, payload in payloads(messages):
            event = {"routing_key": secret_text(self.routing_key, self.name), **self._event(payload)}
            self.http.post(self.name, self.url, _encoded(event), key=message.key)

    def _event(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        key = {"dedup_key": dedup_key(payload["groupKey"])}
        if payload["status"] == ACKNOWLEDGED:
            return {"event_action": "acknowledge", **key}
        if payload["status"] != FIRING:
            return {"event_action": "resolve", **key, "payload": self._incident(payload)}
        client = {"client": self.client, "client_url": self.client_url or payload["externalURL"]}
        return {"event_action": "trigger", **key, "payload": self._incident(payload), **client, "links": _links(payload)}

    def _incident(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        firing, resolved = told(payload, FIRING), told(payload, RESOLVED)
        labels = payload["commonLabels"]
        incident = {
            "summary": shortened(subject(payload), MOST_SUMMARY_CHARS),
            "source": labels.get("agent_name") or self.client,
            "severity": self.severity or (labels.get("severity") if labels.get("severity") in SEVERITIES else DEFAULT_SEVERITY),
            "timestamp": min(alert["startsAt"] for alert in payload["alerts"]),
            "class": labels.get("alertname"),
            "custom_details": {
                "firing": instances(firing),
                "resolved": instances(resolved),
                "num_firing": str(len(firing)),
                "num_resolved": str(len(resolved)),
            },
        }
        return {name: value for name, value in incident.items() if value is not None}


def dedup_key(group_key: str) -> str:
    """Return the key of a group's incident; PagerDuty takes 255 characters, and group keys may be longer."""
    return sha256(group_key.encode()).hexdigest()


def _links(payload: Mapping[str, Any]) -> list[dict[str, str]]:
    links = {alert.link: alert.headline for alert in told(payload, FIRING)}
    links |= {alert.runbook: "runbook" for alert in told(payload, FIRING) if alert.runbook and is_link(alert.runbook)}
    return [{"href": href, "text": shortened(text, 200)} for href, text in list(links.items())[:MOST_LINKS]]


def _encoded(event: dict[str, Any]) -> bytes:
    """Return the event as JSON; one that is too large goes without the list of its alerts."""
    body = json.dumps(event).encode()
    if len(body) <= MOST_EVENT_BYTES:
        return body
    counts = {name: text for name, text in event["payload"]["custom_details"].items() if name.startswith("num_")}
    told_less = {"error": "the list of alerts is left out: the event would be too large", **counts}
    return json.dumps({**event, "payload": {**event["payload"], "custom_details": told_less}}).encode()
