"""The process that makes checkpoints known outside: one thread a target, which waits most of the time.

Each reads the checkpoints from the disk like anybody else, so sealing neither knows nor waits. A target that is away delays itself alone,
and gets the newest checkpoint when it is back: it covers all before.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from collector.anchoring.board import Board, Standing
from collector.anchoring.targets import Target, targets
from collector.config_ledger import LedgerConfig
from collector.status import where
from storage.durable import DISK, FileSystem, hint_for
from storage.errors import StorageError
from storage.journal import Journal, JournalEvent
from storage.ledger.cosigning import NotCosigned
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log, origins
from storage.ledger.note import Checkpoint, split

NICE: Final = 10
"""Below what receives, above what is idle."""
TOLD_NS: Final = 300 * 1_000_000_000
"""A target that cannot be reached for so long is told as an event; a contradiction is told at once."""
POLICY: Final = "own"
"""The policy hash of these events: they hold names and words of ours alone."""
LAST_ROUND_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 10.0
Tell = Callable[[Standing], None]


def anchor(data: Path, node: str, ledger: LedgerConfig, _idle: bool, stop: threading.Event, _wake: threading.Event) -> None:
    """Publish all logs of a data directory to all targets until `stop`, and then once more."""
    os.nice(NICE)
    board, teller = Board(data), Teller(data, node)
    found = targets(ledger, data)
    board.keep({(each.kind, each.name) for each in found})
    threads = [threading.Thread(target=run, args=(data, each, board, teller.tell, stop), name=each.name, daemon=True) for each in found]
    for thread in threads:
        thread.start()
    while not stop.wait(LOOK_SECONDS):
        for standing in board.hanging():
            teller.tell(standing)
    deadline = time.monotonic() + LAST_ROUND_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def run(data: Path, target: Target, board: Board, tell: Tell, stop: threading.Event) -> None:
    """Publish to one target, again and again whatever happens: the others do not suffer."""
    with closing(target):
        while True:
            stopping = stop.is_set()
            try:
                publish_all(data, target, board, tell)
            except Exception as error:  # noqa: BLE001 - the boundary of a target: a defect in one must not end the others
                log = structlog.get_logger(__name__).bind(target=target.name)
                log.error("anchoring met a defect, it is tried again", error=type(error).__name__, where=where(error))
            if stopping:
                return
            stop.wait(target.interval_seconds)


def publish_all(data: Path, target: Target, board: Board, tell: Tell, fs: FileSystem = DISK) -> None:
    """Publish each log whose checkpoint is new to one target, once its name is durable: a power loss may not take it back."""
    for origin in origins(data):
        before = board.standing(target.kind, target.name, origin)
        log = Log(data, origin)
        try:
            note = log.checkpoint() or ""
            digest = sha256(note.encode()).hexdigest()
            if not note or (digest == before.digest and not before.trouble):
                continue
            board.begun(before)
            _settle(log.folder, fs)
            target.publish(log, note)
            after = board.published(before, digest=digest, size=Checkpoint.parse(split(note)[0]).size)
        except StorageError as error:
            alarm = isinstance(error, NotCosigned) and error.is_alarm
            reason = error.reason if isinstance(error, NotCosigned) else "failed"
            after = board.failed(before, trouble=error.hint, reason=reason, alarm=alarm)
            _log(before, after)
        tell(after)


def _settle(folder: Path, fs: FileSystem) -> None:
    try:
        fs.sync_directory(folder)
    except OSError as error:
        raise LedgerError("make a checkpoint's name durable", folder, hint=hint_for(error)) from error


def _log(before: Standing, after: Standing) -> None:
    """Say once what is wrong, and again when something else is."""
    if (before.reason, before.trouble) != (after.reason, after.trouble):
        log = structlog.get_logger(__name__)
        say = log.error if after.alarm else log.warning
        say(
            "a checkpoint is not anchored, it is tried again", kind=after.kind, target=after.target, origin=after.origin, hint=after.trouble
        )


class Teller:
    """Writes events into the lake: `security` when a target contradicts a log, `ledger.anchor` when one was away for long, and is back."""

    def __init__(self, data: Path, node: str, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._data = data
        self._clock = clock
        self._journal = Journal(data, f"{node}/anchors", lambda items: [text for text, _ in items], POLICY, clock)
        self._told: dict[tuple[str, str, str], str] = {}
        self._lock = threading.Lock()

    def tell(self, standing: Standing) -> None:
        """Write the event that is due, once for each reason. What cannot be written is tried again at the next attempt."""
        key = (standing.kind, standing.target, standing.origin)
        with self._lock:
            told = self._told.get(key, "")
            due = standing.alarm or self._clock() - standing.failing_since_ns >= TOLD_NS
            if told == standing.reason or (standing.trouble and not due):
                return
            try:
                self._journal.write(self._events(standing))
            except StorageError as error:
                structlog.get_logger(__name__).warning("an event about anchors waits", hint=error.hint)
                return
            self._told[key] = standing.reason

    def _events(self, standing: Standing) -> Sequence[JournalEvent]:
        told = {
            "auditlake.action": "ledger.anchor",
            "auditlake.resource": f"ledger/{standing.origin}",
            "auditlake.outcome": "failure" if standing.trouble else "success",
            "auditlake.anchor.kind": standing.kind,
            "auditlake.anchor.target": standing.target,
        }
        if standing.reason:
            told["auditlake.reason_code"] = standing.reason
        now, severity = self._clock(), 17 if standing.alarm else 13 if standing.trouble else 9
        events = [JournalEvent(name="ledger.anchor", time_ns=now, severity=severity, attributes=told)]
        if standing.alarm:
            category = {"auditlake.security.category": "integrity", "auditlake.security.detector": "auditlake.anchors"}
            events.append(JournalEvent(name="security", time_ns=now, severity=severity, attributes={**told, **category}))
        return events
