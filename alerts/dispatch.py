"""The dispatcher: from alerts that fire to messages in the outbox, by way of routes, groups, silences and inhibition.

    alerts as they are now → routes → groups → what is due → not muted → not told yet → outbox

Groups, the notification log and the messages are committed together, so that a restart neither forgets nor repeats a notification. What it
decides depends on what is stored, the alerts, the configuration and `now` alone.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from alerts.evaluate import Alert
from alerts.payload import payload, rfc3339
from alerts.routing import Route, Routing
from alerts.state import AlertStore, Message


class Target(Protocol):
    """One way to reach a receiver, such as one of its webhooks: what the dispatcher has to know of it."""

    @property
    def name(self) -> str:
        """Its name in the outbox: unlike any other's, and the same after a restart."""

    @property
    def receiver(self) -> str:
        """Name of its receiver in the configuration: what routes say."""

    @property
    def send_resolved(self) -> bool:
        """Whether it also wants to know that an alert resolved."""

    @property
    def acknowledges(self) -> bool:
        """Whether it also wants to know that somebody acknowledged an alert."""


class Notifier(Protocol):
    """Is told of the alerts after each evaluation, and of time that passes: `Dispatcher`, or what sends to an Alertmanager instead."""

    def tick(self, now: datetime, alerts: Iterable[Alert] | None = None) -> int:
        """Do what is due; `alerts` are all that fire or resolved, None when none of them changed. Returns how many messages were made."""


class Dispatcher:
    """Turns alerts into messages; its memory is a copy of the store."""

    def __init__(self, store: AlertStore, routing: Routing, targets: Sequence[Target], *, external_url: str) -> None:
        self._store = store
        self._routing = routing
        self._targets = targets
        self._external_url = external_url

    def tick(self, now: datetime, alerts: Iterable[Alert] | None = None) -> int:
        """Take the alerts as they are now, tell what is due; returns how many messages went to the outbox. Raises DatabaseError."""
        raise NotImplementedError


def message(
    target: Target, route: Route, labels: Mapping[str, str], alerts: Sequence[Alert], *, now: datetime, external_url: str, **more: Any
) -> Message:
    """Return the message that tells a target of alerts of the group with these labels: its body is `payload` as JSON, and `more`."""
    key = route.group_key(labels)
    body = payload(alerts, target.receiver, labels, group_key=key, external_url=external_url) | more
    told = sorted(f"{alert.fingerprint} {alert.state}" for alert in alerts)
    identity = sha256(json.dumps([target.name, key, rfc3339(now), told, *more]).encode()).hexdigest()[:32]
    return Message(key=identity, receiver=target.name, group_key=key, body=json.dumps(body, sort_keys=True), created_at=now)


def fire(routing: Routing, targets: Sequence[Target], alert: Alert, *, now: datetime, external_url: str) -> list[Message]:
    """Return the messages that a test alert makes: to every target of every route that takes it, at once.

    Waits, silences, inhibition and the notification log are passed over: the test is of routes and receivers.
    """
    found = []
    for route in routing.route.match(alert.labels):
        labels = route.group_labels(alert.labels)
        found += [
            message(target, route, labels, [alert], now=now, external_url=external_url)
            for target in targets
            if target.receiver in route.receivers
        ]
    return found
