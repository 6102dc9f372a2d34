"""What a forwarder says about itself to the collector process: one small JSON an exporter, replaced every second.

Counts grow from the first day of an exporter and go on after a restart, so they are what Prometheus calls counters.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import orjson

from collector.forwarding.patience import Circuit
from collector.forwarding.queue import exporter_folder
from collector.health import OK

NAME: Final = "status.json"
STALE_SECONDS: Final = 60.0
"""A request may last as long as its timeout, during which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One exporter at one moment."""

    exporter: str
    updated_ns: int
    circuit: str = Circuit.CLOSED
    trouble: str = ""  # why the last attempt failed; empty after a success
    # requests that were taken, records in them (sent), their bytes before compression; attempts that failed and were made again (retried);
    # records that the backend refused (rejected), that went over the bounds of the queue (dropped), that a filter left out (filtered)
    counts: Mapping[str, int] = field(default_factory=dict)
    queue_segments: int = 0
    queue_bytes: int = 0
    oldest_ns: int | None = None  # when the last record was written to the oldest segment that waits

    def queue_seconds(self, now_ns: int) -> float:
        """How long the oldest segment has waited."""
        return 0.0 if self.oldest_ns is None else max(0.0, (now_ns - self.oldest_ns) / 1e9)

    def write(self, folder: Path) -> None:
        """Replace the file; what it says need not survive a crash. Raises OSError."""
        temporary = folder / f"{NAME}.tmp"
        temporary.write_bytes(orjson.dumps({name: getattr(self, name) for name in self.__slots__}))
        temporary.replace(folder / NAME)

    @classmethod
    def read(cls, data: Path, exporter: str) -> Self | None:
        """Return what the forwarder said last; None when it has said nothing yet."""
        try:
            return cls(**orjson.loads((exporter_folder(data, exporter) / NAME).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


def state(data: Path, exporter: str, *, clock: Callable[[], int] = time.time_ns) -> str:
    """Return the state of an exporter for the health check: "ok", or a remark. It never takes a collector out of service."""
    status = Status.read(data, exporter)
    if status is None:
        return "starting"
    silent = (clock() - status.updated_ns) / 1e9
    if silent > STALE_SECONDS:
        return f"degraded: the forwarder has said nothing for {silent:.0f} s, see its log; the queue keeps everything meanwhile"
    if status.circuit == Circuit.CLOSED and not status.trouble:
        return OK
    return (
        f"degraded: {status.trouble or 'the backend does not answer'}; {status.queue_segments} segments wait "
        f"({status.queue_bytes / 1e6:.1f} MB, the oldest for {status.queue_seconds(clock()):.0f} s)"
    )
