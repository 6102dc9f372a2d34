"""Alertmanager's webhook: the message as it is, with its idempotency key in the header `Idempotency-Key`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from alerts.outbox import Message
from alerts.receivers.http import Http
from alerts.receivers.integration import Named, payloads
from alerts.receivers.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceiver(Named):
    """Posts to a URL. With `max_alerts` the alerts after that many are counted, not told."""

    url: Secret = field(repr=False)  # may hold credentials: never logged
    max_alerts: int = 0
    http: Http = field(default_factory=Http)

    def send(self, messages: Sequence[Message]) -> None:
        """Post each message; a redirect, a refusal or silence is a failure."""
        for message, told in payloads(messages):
            body = message.body.encode() if not self.max_alerts else _bytes(truncated(told, self.max_alerts))
            self.http.post(self.name, self.url, body, key=message.key)


def truncated(told: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the message with `most` alerts, and how many more there are in `truncatedAlerts`."""
    alerts = told["alerts"]
    return {**told, "alerts": alerts[:most], "truncatedAlerts": max(len(alerts) - most, 0)}


def _bytes(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True).encode()
