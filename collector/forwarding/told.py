"""Events about forwarding in the lake: `forward.dropped` and `forward.rejected`, at once, then one a minute for each reason, with the sum.

They hold the exporter's id, reasons and numbers of ours, never anything of a record or of a backend's answer.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from storage.errors import StorageError

if TYPE_CHECKING:
    from storage.journal import JournalEvent

SCOPE: Final = "auditlake.forward"
EVERY_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 10.0
POLICY: Final = "own"
"""The policy hash of these events: there is nothing in them that a policy decides about."""


class Told:
    """Collects what all exporters of a process have to tell, and writes it when it is due. Threads share it."""

    def __init__(self, data: Path, node: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._data = data
        self._origin = f"{node}/{SCOPE.rpartition('.')[2]}"
        self._clock = clock
        self._lock = threading.Lock()
        self._sums: dict[tuple[str, str, str], int] = {}
        self._last: dict[tuple[str, str, str], float] = {}
        self._not_before = 0.0

    def add(self, event: str, exporter: str, reason: str, records: int) -> None:
        """Count records that an event is about."""
        with self._lock:
            key = (event, exporter, reason)
            self._sums[key] = self._sums.get(key, 0) + records

    def write(self, *, everything: bool = False) -> None:
        """Write what is due, `everything`: also what would have to wait for its minute. What cannot be written is tried again."""
        with self._lock:
            now = self._clock()
            due = {
                key: records
                for key, records in self._sums.items()
                if everything or now - self._last.get(key, -EVERY_SECONDS) >= EVERY_SECONDS
            }
            if not due or now < self._not_before:
                return
            from storage.journal import Journal  # brings the catalog along, which a forwarder without trouble does not need

            journal = Journal(self._data, self._origin, lambda items: [text for text, _ in items], POLICY, time.time_ns)
            try:
                journal.write(self._events(due))
            except StorageError as error:
                structlog.get_logger(__name__).warning("an event about forwarding waits", hint=error.hint)
                self._not_before = now + AGAIN_SECONDS
                return
            self._last |= dict.fromkeys(due, now)
            for key in due:
                del self._sums[key]

    def _events(self, due: dict[tuple[str, str, str], int]) -> "Sequence[JournalEvent]":
        from storage.journal import JournalEvent

        return [
            JournalEvent(
                name=event,
                time_ns=time.time_ns(),
                severity=13,
                attributes={
                    "auditlake.forward.exporter": exporter,
                    "auditlake.forward.reason": reason,
                    "auditlake.forward.records": records,
                },
            )
            for (event, exporter, reason), records in due.items()
        ]
