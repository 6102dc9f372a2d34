"""Delivery of the outbox: at least once, in order per receiver and group, with retries that survive a restart.

Each receiver has a thread of its own, so that a slow one delays neither evaluations nor other receivers. An attempt repeats a few
times at once (tenacity), then the message waits in the outbox with a growing delay. It is marked only after its receiver took it,
so a crash in between sends it again, with the same idempotency key.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DatabaseError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from alerts.errors import DeliveryFailed
from alerts.notify import Receiver
from alerts.outbox import Delivery
from alerts.state import AlertStore

QUICK_ATTEMPTS: Final = 3
FIRST_DELAY: Final = timedelta(seconds=5)
LONGEST_DELAY: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(hours=24)
IDLE_SECONDS: Final = 1.0


class Courier:
    """Carries the messages of one receiver from the outbox to it, until stopped."""

    def __init__(self, store: AlertStore, receiver: Receiver, *, clock: Callable[[], datetime], quick_wait_seconds: float = 0.5) -> None:
        self._store = store
        self._receiver = receiver
        self._clock = clock
        self._quick_wait_seconds = quick_wait_seconds
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"courier-{receiver.name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver in the background."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something new to deliver."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the message that is being sent; what is left stays in the outbox."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def deliver_due(self) -> int:
        """Deliver what is due now; return how many messages were taken."""
        taken = 0
        due = self._store.due(self._clock(), self._receiver.name)
        for first in range(0, len(due), self._receiver.most_at_once):
            if self._stop.is_set():
                break
            taken += self._deliver(due[first : first + self._receiver.most_at_once])
        return taken

    def _run(self) -> None:
        log = structlog.get_logger(__name__)
        while not self._stop.is_set():
            self._wake.clear()
            taken = 0
            try:
                taken = self.deliver_due()
            except DatabaseError as error:
                log.warning("the outbox cannot be read, trying again", error=type(error).__name__)
            except Exception:
                log.exception("delivery failed unexpectedly", receiver=self._receiver.name)
            if not taken:
                self._wake.wait(IDLE_SECONDS)

    def _deliver(self, deliveries: Sequence[Delivery]) -> int:
        ids = [delivery.id for delivery in deliveries]
        try:
            self._attempts()(self._receiver.send, [delivery.message for delivery in deliveries])
        except DeliveryFailed as error:
            self._postpone(deliveries[0], ids, error)
            return 0
        self._store.delivered(ids, self._clock())
        return len(ids)

    def _attempts(self) -> Retrying:
        wait = self._quick_wait_seconds
        enough = stop_after_attempt(QUICK_ATTEMPTS)

        def pause(seconds: float) -> None:
            self._stop.wait(seconds)

        def over(state: RetryCallState) -> bool:
            return self._stop.is_set() or enough(state)

        return Retrying(
            stop=over,
            wait=wait_exponential(multiplier=wait, max=4 * wait) + wait_random(0, wait),
            retry=retry_if_exception(lambda error: isinstance(error, DeliveryFailed) and error.retryable),
            sleep=pause,
            reraise=True,
        )

    def _postpone(self, first: Delivery, ids: Sequence[int], error: DeliveryFailed) -> None:
        now = self._clock()
        given_up = not error.retryable or now - first.message.created_at > GIVE_UP_AFTER
        self._store.failed(ids, error.reason, due_at=None if given_up else now + delay(first.attempts))
        log = structlog.get_logger(__name__)
        log.warning("not delivered", receiver=self._receiver.name, reason=error.reason, attempts=first.attempts + 1, given_up=given_up)


def delay(attempts: int) -> timedelta:
    """Return how long a message waits after its attempt number `attempts` (from 0) failed."""
    return min(timedelta(seconds=FIRST_DELAY.total_seconds() * 2 ** min(attempts, 10)), LONGEST_DELAY)
