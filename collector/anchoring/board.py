"""How the anchors stand: one JSON in the data directory, for health, `auditlake ledger status` and `auditlake doctor`.

It is what this host says of itself. Verification asks the second location, the cosignatures and the time-stamps instead.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import orjson
import structlog

from collector.health import OK
from storage.durable import hint_for

NAME: Final = "anchors.json"
HANGS_NS: Final = 60 * 1_000_000_000
"""Requests end by themselves long before that; what a mount does that is away does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One log at one target."""

    kind: str  # copy, witness or timestamp
    target: str  # the location, the witness's name, the authority's host
    origin: str
    digest: str = ""  # SHA-256 of the checkpoint that was published last
    size: int = 0  # its size
    at_ns: int = 0  # when that was; 0: never
    trouble: str = ""  # why the last attempt failed; empty after a success
    reason: str = ""  # the same as a word
    failing_since_ns: int = 0  # when that began; 0 after a success
    alarm: bool = False  # the target contradicts this log


class Board:
    """The standings of all logs at all targets. Threads share it."""

    def __init__(self, data: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        """`clock` gives unix ns."""
        self._path = data / "ledger" / NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, str, str], int] = {}
        self._is_written = True
        self._standings = {(each.kind, each.target, each.origin): each for each in standings(data)}

    def keep(self, targets: set[tuple[str, str]]) -> None:
        """Forget targets that are configured no more; `targets` are kinds and names."""
        with self._lock:
            self._standings = {key: each for key, each in self._standings.items() if key[:2] in targets}
            self._write()

    def standing(self, kind: str, target: str, origin: str) -> Standing:
        """Return how a log stands at a target."""
        with self._lock:
            return self._standings.get((kind, target, origin), Standing(kind=kind, target=target, origin=origin))

    def begun(self, standing: Standing) -> None:
        """Note that a target is given a checkpoint now."""
        with self._lock:
            self._begun[standing.kind, standing.target, standing.origin] = self._clock()

    def hanging(self) -> list[Standing]:
        """Note which targets have not answered for a minute, and return how they stand."""
        with self._lock:
            late = [key for key, since in self._begun.items() if self._clock() - since >= HANGS_NS]
            for key in late:
                before = self._standings.get(key, Standing(kind=key[0], target=key[1], origin=key[2]))
                since = before.failing_since_ns or self._clock()
                trouble = "it has not answered for a minute: is the file system or the network away?"
                self._standings[key] = replace(before, trouble=trouble, reason="hangs", failing_since_ns=since)
            if late:
                self._write()
            return [self._standings[key] for key in late]

    def published(self, before: Standing, *, digest: str, size: int) -> Standing:
        """Note that a target has a checkpoint."""
        fresh = Standing(kind=before.kind, target=before.target, origin=before.origin, digest=digest, size=size, at_ns=self._clock())
        return self._put(fresh)

    def failed(self, before: Standing, *, trouble: str, reason: str, alarm: bool) -> Standing:
        """Note that a target could not be reached, or refused."""
        since = before.failing_since_ns or self._clock()
        return self._put(replace(before, trouble=trouble, reason=reason, failing_since_ns=since, alarm=alarm))

    def _put(self, standing: Standing) -> Standing:
        with self._lock:
            key = standing.kind, standing.target, standing.origin
            self._standings[key] = standing
            self._begun.pop(key, None)
            self._write()
        return standing

    def _write(self) -> None:
        """Replace the file; what it says need not survive a crash, and a full disk keeps no checkpoint from leaving it."""
        temporary = self._path.with_name(f".{NAME}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(orjson.dumps([asdict(each) for each in self._standings.values()]))
            temporary.replace(self._path)
        except OSError as error:
            if self._is_written:
                structlog.get_logger(__name__).warning(
                    "how the anchors stand cannot be written", path=str(self._path), hint=hint_for(error)
                )
            self._is_written = False
        else:
            self._is_written = True


def standings(data: Path) -> list[Standing]:
    """Return what was noted last; nothing when nothing was, or it cannot be read."""
    try:
        return [Standing(**each) for each in orjson.loads((data / "ledger" / NAME).read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def state(data: Path) -> str:
    """Return the state of the anchors for the health check: "ok", or a remark. It never takes a collector out of service."""
    failing = [each for each in standings(data) if each.trouble]
    if not failing:
        return OK
    worst = min(failing, key=lambda each: (not each.alarm, each.failing_since_ns))
    more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
    return f"degraded: {worst.kind} {worst.target}, {worst.origin}: {worst.trouble}{more}"
