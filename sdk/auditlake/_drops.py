"""Counts what could not be delivered, per signal, reason and run, so that a gap in the record is a known gap."""

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from auditlake._transport import Signal

Reason = Literal["queue_full", "export_failed", "rejected", "unencodable", "shutdown"]

_KEYS_LIMIT: Final = 200
_WARNING_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DropKey:
    """What a number of dropped records have in common."""

    signal: Signal
    reason: Reason
    run_id: str | None = None


class Drops:
    """The number of dropped records, in total and not yet reported; safe among threads."""

    def __init__(self) -> None:
        """Start at zero."""
        self.reset()

    def reset(self) -> None:
        """Start again at zero: in a fork, the parent's drops are the parent's."""
        self._lock = threading.Lock()
        self._totals: Counter[tuple[Signal, Reason]] = Counter()
        self._unreported: Counter[DropKey] = Counter()
        self._warned_at: float | None = None

    def add(self, signal: Signal, reason: Reason, count: int = 1, *, run_id: str | None = None) -> None:
        """Count `count` dropped records, and say so in the log at most once a minute."""
        key = DropKey(signal, reason, run_id)
        with self._lock:
            self._totals[signal, reason] += count
            if key not in self._unreported and len(self._unreported) >= _KEYS_LIMIT:
                key = DropKey(signal, reason)
            self._unreported[key] += count
            now = time.monotonic()
            quiet = self._warned_at is not None and now - self._warned_at < _WARNING_SECONDS
            if not quiet:
                self._warned_at = now
            total = sum(self._totals.values())
        if not quiet:
            logging.getLogger("auditlake").warning("auditlake dropped telemetry: %d records so far (%s: %s)", total, signal, reason)

    def totals(self) -> dict[tuple[Signal, Reason], int]:
        """Return the number dropped since the start, per signal and reason."""
        with self._lock:
            return dict(self._totals)

    def take(self) -> dict[DropKey, int]:
        """Return what was not reported yet, and regard it as reported."""
        with self._lock:
            taken, self._unreported = dict(self._unreported), Counter()
            return taken

    def restore(self, taken: dict[DropKey, int]) -> None:
        """Regard `taken` as not reported: its report was not delivered."""
        with self._lock:
            self._unreported.update(taken)
