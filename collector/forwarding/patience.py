"""How long to wait for a backend that cannot take a request now: growing intervals with jitter, and a circuit breaker.

The breaker opens after some failures in a row. Then nothing is tried for `max_interval`; after that one request is the probe (half
open): its success closes the breaker, its failure opens it again.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from collector.config_exporters import RetryConfig

OPENS_AFTER: Final = 5


class Circuit(StrEnum):
    """The state of the breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Patience:
    """Counts failures in a row; `draw` gives a random number from 0 to 1."""

    def __init__(self, config: RetryConfig, draw: Callable[[], float]) -> None:
        self._config = config
        self._draw = draw
        self.failures = 0
        self.circuit = Circuit.CLOSED

    def succeeded(self) -> None:
        """The backend took something."""
        self.failures, self.circuit = 0, Circuit.CLOSED

    def failed(self, asked_seconds: float | None) -> float:
        """Return the seconds until the next attempt, at least those that the backend asked for."""
        config = self._config
        growth = config.multiplier ** min(self.failures, 64)
        self.failures += 1
        if self.failures >= OPENS_AFTER:
            self.circuit = Circuit.OPEN
        interval = config.max_interval if self.circuit is Circuit.OPEN else min(config.initial_interval * growth, config.max_interval)
        spread = config.randomization_factor
        waited = min(interval * (1 - spread + 2 * spread * self._draw()), config.max_interval)
        return max(waited, asked_seconds or 0.0)

    def probe(self) -> None:
        """The next attempt begins."""
        if self.circuit is Circuit.OPEN:
            self.circuit = Circuit.HALF_OPEN
