"""A real Alertmanager, in place of our own routing: it is told of every alert that fires, again and again, as Prometheus does.

Each peer gets every alert (`POST /api/v2/alerts`), because Alertmanagers of a cluster expect that: they agree on who notifies. An alert
is sent when it begins, each minute while it fires, and when it resolved, for a while. `endsAt` of one that fires lies ahead, so that it
ends by itself when we die. That makes it durable without an outbox: a restart sends all that fires again, which is no new notification.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from alerts.background import Background
from alerts.breaker import Breaker
from alerts.errors import DeliveryFailed
from alerts.evaluate import Alert, State
from alerts.payload import deep_link, rfc3339
from alerts.receivers.http import Http

ALERTS_PATH: Final = "/api/v2/alerts"
RESEND: Final = timedelta(minutes=1)
"""Prometheus' --rules.alert.resend-delay."""
LIFETIMES: Final = 4
"""How many resends (or evaluations, where those are further apart) may fail until an Alertmanager ends an alert by itself."""
MOST_AT_ONCE: Final = 256
IDLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One Alertmanager: its base URL, with the path before `/api/v2/alerts` where it has one."""

    name: str
    url: str = field(repr=False)
    http: Http = field(default_factory=Http)

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Send alerts; raises DeliveryFailed."""
        self.http.post(self.name, self.url.rstrip("/") + ALERTS_PATH, json.dumps(alerts).encode())


Spell = tuple[str, datetime | None]
"""One time that an alert fires: its fingerprint, and since when. When it fires again, that is another one."""


def spell(alert: Alert) -> Spell:
    """Return which spell of its label set an alert is."""
    return alert.fingerprint, alert.fired_at


def due(alerts: Iterable[Alert], sent: Mapping[Spell, datetime], now: datetime) -> list[Alert]:
    """Return the alerts that a peer has to be told now; `sent` says when it was last told of each.

    As in Prometheus (`Alert.needsSending`): pending ones never; at once when one resolved after it was last sent; else each minute.
    """
    found = []
    for alert in alerts:
        last = sent.get(spell(alert))
        ended = alert.state is State.RESOLVED and alert.resolved_at is not None
        if alert.state is not State.FIRING and not ended:
            continue
        if last is None or last + RESEND <= now or (ended and alert.resolved_at is not None and alert.resolved_at > last):
            found.append(alert)
    return found


def postable(alert: Alert, now: datetime, interval: timedelta, external_url: str) -> dict[str, Any]:
    """Return an alert as `POST /api/v2/alerts` takes it; `interval` is how often its rule is evaluated."""
    until = now + LIFETIMES * max(interval, RESEND)
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.fired_at or alert.active_at),
        "endsAt": rfc3339(alert.resolved_at if alert.state is State.RESOLVED and alert.resolved_at else until),
        "generatorURL": deep_link(external_url, alert.labels),
    }


class PeerCourier(Background):
    """Tells one peer of the alerts, until stopped: what another peer does changes nothing for it."""

    def __init__(self, peer: Peer, *, interval: timedelta, external_url: str, clock: Callable[[], datetime]) -> None:
        self._peer = peer
        self._interval = interval
        self._external_url = external_url
        self._clock = clock
        self._alerts: tuple[Alert, ...] = ()
        self._sent: dict[Spell, datetime] = {}
        self._breaker = Breaker()
        self._log = structlog.get_logger(__name__).bind(alertmanager=peer.name)
        super().__init__(f"courier-{peer.name}")

    def take(self, alerts: Sequence[Alert]) -> None:
        """From now on tell these."""
        self._alerts = tuple(alerts)
        self.wake()

    def tell_due(self) -> int:
        """Tell what is due now; returns how many alerts the peer took."""
        now, alerts = self._clock(), self._alerts
        known = {spell(alert) for alert in alerts}
        self._sent = {key: at for key, at in self._sent.items() if key in known}
        wanted = due(alerts, self._sent, now)
        taken = 0
        for first in range(0, len(wanted), MOST_AT_ONCE):
            part = wanted[first : first + MOST_AT_ONCE]
            if self._stop.is_set() or not self._breaker.allows(now):
                break
            error = self._post(part, now)
            if error is not None and error.retryable:
                break
            self._sent |= {spell(alert): now for alert in part}  # also those that were refused: they must not keep others from being told
            taken += len(part) if error is None else 0
        return taken

    def _post(self, alerts: Sequence[Alert], now: datetime) -> DeliveryFailed | None:
        """Send some; returns what went wrong. Tells the breaker, for which a refusal is an answer."""
        failure: DeliveryFailed | None = None
        try:
            self._peer.post([postable(alert, now, self._interval, self._external_url) for alert in alerts])
        except DeliveryFailed as error:
            failure = error
            self._log.warning("the Alertmanager was not told", reason=error.reason, alerts=len(alerts))
        if failure is not None and failure.retryable:
            self._breaker.failed(now, asked=timedelta(seconds=failure.asked_seconds or 0))
        elif self._breaker.succeeded():
            self._log.info("the Alertmanager is back")
        return failure

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.tell_due()
            except Exception as error:  # noqa: BLE001 - the edge of a thread: the other alerts, and the next time, go on
                self._log.error("an Alertmanager was not told, unexpectedly", error=type(error).__name__)
            self._wake.wait(IDLE_SECONDS * (1 + random.random()))  # noqa: S311


class Alertmanagers:
    """All peers, in the place of the dispatcher: routing, silences and inhibition are theirs."""

    def __init__(self, peers: Sequence[Peer], *, interval: timedelta, external_url: str, clock: Callable[[], datetime]) -> None:
        self.couriers = [PeerCourier(peer, interval=interval, external_url=external_url, clock=clock) for peer in peers]

    def start(self) -> None:
        """Begin to tell them in the background."""
        for courier in self.couriers:
            courier.start()

    def close(self) -> None:
        """Stop."""
        for courier in self.couriers:
            courier.request_stop()
        for courier in self.couriers:
            courier.close()

    def tick(self, now: datetime, alerts: Iterable[Alert] | None = None) -> int:
        """Take the alerts as they are now; None: none of them changed. Makes no messages for the outbox."""
        del now
        if alerts is not None:
            known = list(alerts)
            for courier in self.couriers:
                courier.take(known)
        return 0
