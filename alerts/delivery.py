"""Delivery of the outbox: at least once, in order per receiver and group, with retries that survive a restart.

Each receiver has a thread of its own, so that a slow one delays neither evaluations nor other receivers. An attempt repeats a few
times at once, then the message waits in the outbox with a growing delay. It is marked only after its receiver took it, so a crash in
between sends it again, with the same idempotency key. A receiver that fails again and again is left alone for a while (`Breaker`). Who
refuses a message for good was not told: the notification log forgets it, and the next look at the group tells what is so then.
"""

import json
import random
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from alerts.background import Background
from alerts.breaker import Breaker
from alerts.errors import DeliveryFailed
from alerts.events import Delivered, notification_message
from alerts.outbox import Delivery, Message, Outbox
from alerts.payload import ACKNOWLEDGED
from alerts.receivers.receiver import Receiver
from alerts.transitions import OWN_RECEIVERS

QUICK_ATTEMPTS: Final = 3
QUICK_WAIT_SECONDS: Final = 0.5
FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=5)
JITTER: Final = 0.2
"""Share by which waits differ, so that receivers which failed together are not tried together."""
GIVE_UP_AFTER: Final = timedelta(hours=24)
IDLE_SECONDS: Final = 1.0
MOST_AT_ONCE: Final = 500
"""Messages that one transaction gives up."""
GONE: Final = "the receiver is no longer configured"

Draw = Callable[[], float]
"""A random number from 0 to 1."""


def never() -> bool:
    """Do not wait."""
    return False


class Courier(Background):
    """Carries the messages of one receiver from the outbox to it, until stopped."""

    def __init__(
        self,
        store: Outbox,
        receiver: Receiver,
        *,
        clock: Callable[[], datetime],
        quick_wait_seconds: float = QUICK_WAIT_SECONDS,
        draw: Draw = random.random,
        waits: Callable[[], bool] = never,
    ) -> None:
        """While it `waits`, messages stay in the outbox: an order of erasure finds them there, and not on their way."""
        self._store = store
        self._receiver = receiver
        self._clock = clock
        self._quick_wait_seconds = quick_wait_seconds
        self._draw = draw
        self._waits = waits
        self._breaker = Breaker()
        self._log = structlog.get_logger(__name__).bind(receiver=receiver.name)
        super().__init__(f"courier-{receiver.name}")

    @property
    def receiver(self) -> Receiver:
        """Whose messages it carries."""
        return self._receiver

    def deliver_due(self) -> int:
        """Deliver what is due now; return how many messages were taken. Raises SQLAlchemyError."""
        taken = 0
        if self._waits() or not self._breaker.allows(self._clock()):
            return taken
        due = self._store.due(self._clock(), self._receiver.name)
        for first in range(0, len(due), self._receiver.most_at_once):
            if self._stop.is_set() or not self._breaker.allows(self._clock()):
                break
            taken += self._deliver(due[first : first + self._receiver.most_at_once])
        return taken

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            taken = 0
            try:
                taken = self.deliver_due()
            except SQLAlchemyError as error:
                self._log.warning("the outbox cannot be read, trying again", error=type(error).__name__)
            if not taken:
                self._wake.wait(IDLE_SECONDS)

    def _deliver(self, deliveries: Sequence[Delivery]) -> int:
        """Try a few times; returns how many messages were taken."""
        attempt = 1
        while (error := self._attempt(deliveries)) is not None:
            if not error.retryable or attempt == QUICK_ATTEMPTS or not self._breaker.allows(self._clock()) or error.asked_seconds:
                self._postpone(deliveries, error, attempt)
                return 0
            self._stop.wait(_spread(self._quick_wait_seconds * 2 ** (attempt - 1), self._draw))
            if self._stop.is_set():
                self._postpone(deliveries, error, attempt)
                return 0
            attempt += 1
        now = self._clock()
        self._store.delivered(deliveries, now, attempts=attempt, tell=lambda delivery: _told(delivery, "sent", now, attempt))
        if self._breaker.succeeded():
            self._log.info("the receiver is back")
            self._store.hasten(self._receiver.name, now)
        return len(deliveries)

    def _attempt(self, deliveries: Sequence[Delivery]) -> DeliveryFailed | None:
        """Send what is still in the outbox; returns what went wrong. What is our own is written before an order of erasure, or after it."""
        if self._receiver.name not in OWN_RECEIVERS:
            return self._send([delivery.message for delivery in self._store.still(deliveries)])
        with self._store.holding(deliveries) as still:
            if self._waits():
                return DeliveryFailed(self._receiver.name, "an order of erasure is at work", retryable=True)
            return self._send([delivery.message for delivery in still])

    def _send(self, messages: Sequence[Message]) -> DeliveryFailed | None:
        """Make one attempt; returns what went wrong. Tells the breaker."""
        if not messages:
            return None
        try:
            self._receiver.send(messages)
        except DeliveryFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the edge of a thread: another receiver's messages, and this one's next, go on
            failure = DeliveryFailed(self._receiver.name, type(error).__name__, retryable=True)
            self._log.error("delivery failed unexpectedly", error=type(error).__name__, where=_place(error))
        else:
            return None
        if not failure.retryable:
            self._breaker.succeeded()  # it answered
        elif self._breaker.failed(self._clock(), asked=timedelta(seconds=failure.asked_seconds or 0)):
            self._log.warning("the receiver is left alone for a while", reason=failure.reason)
        return failure

    def _postpone(self, deliveries: Sequence[Delivery], error: DeliveryFailed, attempts: int) -> None:
        now, first = self._clock(), deliveries[0]
        given_up = not error.retryable or now - first.message.created_at > GIVE_UP_AFTER
        if given_up:
            give_up(self._store, deliveries, error.reason, now=now, attempts=attempts)
        else:
            wait = max(delay(first.attempts, self._draw), timedelta(seconds=error.asked_seconds or 0))
            self._store.failed(deliveries, error.reason, due_at=now + wait, attempts=attempts)
        self._log.warning("not delivered", reason=error.reason, attempts=first.attempts + attempts, given_up=given_up)


def give_up_for_others(store: Outbox, receivers: Sequence[str], *, now: datetime) -> int:
    """Give up what waits for others than these, which are no longer configured; returns how many messages. Raises SQLAlchemyError."""
    left = store.of_others(receivers)
    for first in range(0, len(left), MOST_AT_ONCE):
        give_up(store, left[first : first + MOST_AT_ONCE], GONE, now=now, attempts=0)
    return len(left)


def give_up(store: Outbox, deliveries: Sequence[Delivery], reason: str, *, now: datetime, attempts: int) -> None:
    """Keep messages to be seen, with the events that tell so; their receivers count as not told. Raises SQLAlchemyError."""
    untold = [delivery.message for delivery in deliveries if _tells_alerts(delivery.message)]

    def tell(delivery: Delivery) -> list[Message]:
        return _told(delivery, "failed", now, attempts, reason)

    store.failed(deliveries, reason, due_at=None, attempts=attempts, tell=tell, untold=untold)


def delay(attempts: int, draw: Draw = lambda: 0.5) -> timedelta:
    """Return how long a message waits whose last few attempts failed, after `attempts` before those. `draw` spreads it."""
    seconds = FIRST_DELAY.total_seconds() * 2 ** min(attempts // QUICK_ATTEMPTS, 10)
    return timedelta(seconds=_spread(min(seconds, LONGEST_DELAY.total_seconds()), draw))


def _tells_alerts(message: Message) -> bool:
    """Say whether the notification log knows a message: events of ours and acknowledgements are not in it."""
    if message.receiver in OWN_RECEIVERS:
        return False
    return bool(json.loads(message.body).get("status") != ACKNOWLEDGED)


def _told(delivery: Delivery, outcome: Delivered, at: datetime, attempts: int, reason: str = "") -> list[Message]:
    """Return the event of what became of a notification; what goes into the lake and the log is no notification."""
    if delivery.message.receiver in OWN_RECEIVERS:
        return []
    payload, attempts = json.loads(delivery.message.body), attempts + delivery.attempts
    return [notification_message(delivery.message, payload, outcome=outcome, at=at, attempts=attempts, reason=reason)]


def _spread(seconds: float, draw: Draw) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * draw())


def _place(error: Exception) -> str:
    """Return where an error was raised. Its text is not told: it may hold an address with credentials."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
