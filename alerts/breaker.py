"""A circuit breaker: a receiver that fails again and again is left alone for a while, then tried with one message.

It opens after some failures in a row. While it is open nothing is sent; after that one message is the probe (half open): its success
closes the breaker, its failure opens it again, for longer.
"""

from datetime import datetime, timedelta
from typing import Final

OPENS_AFTER: Final = 5
"""Attempts in a row that failed."""
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(minutes=5)


class Breaker:
    """Counts the failures of one receiver; its clock is the caller's."""

    def __init__(self) -> None:
        self._failures = 0
        self._pauses = 0
        self._until: datetime | None = None

    @property
    def tripped(self) -> bool:
        """Whether it is open or half open."""
        return self._until is not None

    def allows(self, now: datetime) -> bool:
        """Return whether something may be sent: it is closed, or the time has come for a probe."""
        return self._until is None or now >= self._until

    def succeeded(self) -> bool:
        """The receiver answered; returns whether the breaker was open until now."""
        was_open = self.tripped
        self._failures, self._pauses, self._until = 0, 0, None
        return was_open

    def failed(self, now: datetime, *, asked: timedelta = timedelta()) -> bool:
        """An attempt failed; `asked` is how long the receiver wants to be left alone. Returns whether this one opened the breaker."""
        self._failures += 1
        was_open = self.tripped
        if was_open or self._failures >= OPENS_AFTER:
            pause = min(FIRST_PAUSE * 2 ** min(self._pauses, 10), LONGEST_PAUSE)
            self._pauses += 1
            self._until = now + max(pause, asked)
        return self.tripped and not was_open
