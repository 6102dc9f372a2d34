"""Sends one request until it is delivered, refused for good, or out of time."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from auditlake._transport import Outcome, Signal, Transport

_FIRST_BACKOFF_SECONDS: Final = 0.1
_LAST_BACKOFF_SECONDS: Final = 5.0

Wait = Callable[[float], object]


def deliver(transport: Transport, signal: Signal, payload: bytes, *, remaining: Callable[[], float], wait: Wait = time.sleep) -> Outcome:
    """Send `payload`, the same bytes each time, with jittered exponential backoff; Retry-After is respected.

    `remaining` returns the seconds that are left, and may shrink between calls (a shutdown). Returns the last outcome, with
    the number of attempts.
    """
    backoff, attempts = _FIRST_BACKOFF_SECONDS, 0
    while True:
        attempts += 1
        outcome = replace(transport.send(signal, payload, max(remaining(), 0.001)), attempts=attempts)
        pause = outcome.retry_after_seconds
        if pause is None:
            pause = backoff * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret
        if outcome.delivered or not outcome.retryable or pause >= remaining():
            return outcome
        wait(pause)
        backoff = min(backoff * 2, _LAST_BACKOFF_SECONDS)
