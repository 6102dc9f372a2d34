"""A disk that fails where a test says, and a lake to try it on."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storage.catalog import Catalog, EntryRecord, FileRecord
from storage.durable import DISK, Disk, FileSystem
from storage.writer import publish_entry
from tests.lake_rows import NOON_NS, tables

SECOND_NS = 1_000_000_000


class Crash(BaseException):
    """The process died here: nothing after this call happens."""


class FailingDisk:
    """Passes calls on, until call number `at` (from 0, over all operations or those named) raises.

    With `crash` the call is torn (half a write reaches the file) and every later call fails as well; otherwise it raises `error` once.
    """

    def __init__(self, at: int, *, crash: bool = False, operations: tuple[str, ...] = (), error: int = errno.EIO) -> None:
        self._at = at
        self._crash = crash
        self._operations = operations
        self._error = error
        self.calls = 0
        self.failed = False

    def _step(self, operation: str, tear: Callable[[], Any] | None = None) -> None:
        if self._crash and self.failed:
            raise Crash
        if self._operations and operation not in self._operations:
            return
        number, self.calls = self.calls, self.calls + 1
        if number == self._at:
            self.failed = True
            if tear is not None:
                tear()
            raise Crash if self._crash else OSError(self._error, os.strerror(self._error))

    def open(self, path: Path, flags: int) -> int:
        self._step("open")
        return DISK.open(path, flags)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._step("write", lambda: DISK.write(descriptor, data[: len(data) // 2]))
        return DISK.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        DISK.sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._step("sync_directory")
        DISK.sync_directory(path)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._step("truncate")
        DISK.truncate(descriptor, size_bytes)

    def close(self, descriptor: int) -> None:
        DISK.close(descriptor)  # a dead process closes everything

    def replace(self, source: Path, target: Path) -> None:
        self._step("replace")
        DISK.replace(source, target)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        DISK.unlink(path)


class PowerLoss(FailingDisk):
    """Remembers which names no sync of their folder made durable: a power loss may take any of them back, in any order."""

    def __init__(self, at: int, *, unsynced: list[tuple[Path, bytes | None]] | None = None) -> None:
        """Dies at a call that names files or makes names durable; `unsynced` goes on from the process before."""
        super().__init__(at, crash=True, operations=("replace", "sync_directory"))
        self.unsynced = [] if unsynced is None else unsynced

    def replace(self, source: Path, target: Path) -> None:
        before = target.read_bytes() if target.exists() else None
        super().replace(source, target)
        self.unsynced.append((target, before))

    def sync(self, descriptor: int) -> None:
        self._step("sync")  # it is not the power that is lost

    def sync_directory(self, path: Path) -> None:
        self._step("sync_directory")
        self.unsynced[:] = [(target, before) for target, before in self.unsynced if target.parent != path]

    def lose(self, step: int) -> None:
        """Take every `step`-th of these names back, the newest first."""
        for target, before in self.unsynced[::-step]:
            if before is not None:
                target.write_bytes(before)
            elif target.exists():
                target.unlink()


class OrderedDisk(Disk):
    """Remembers in which order files were made durable."""

    def __init__(self) -> None:
        self.order: list[str] = []

    def sync(self, descriptor: int) -> None:
        self.order.append("sync")
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self.order.append("sync_directory")
        super().sync_directory(path)

    def replace(self, source: Path, target: Path) -> None:
        self.order.append("replace")
        super().replace(source, target)


def entry_record(entry: int, stored: int, *, origin: str = "n/collector", sealed_ns: int = 0, **counts: int) -> EntryRecord:
    """An entry with `stored` rows; received counts what the others add up to."""
    named = {"rejected": 0, "deduplicated": 0, "quarantined": 0, "withheld": 0, "own": 0, "bytes": 100} | counts
    received = stored + named["rejected"] + named["deduplicated"] + named["quarantined"]
    return EntryRecord(
        origin=origin,
        entry=entry,
        sealed_ns=sealed_ns,
        first_received_ns=sealed_ns,
        last_received_ns=sealed_ns,
        received=received,
        stored=stored,
        policy_hash="0123456789abcdef",
        descriptor={"schema_version": 1},
        **named,
    )


def seal(
    data: Path, entry: int, *, spans: int = 3, events: int = 1, origin: str = "n/collector", at_ns: int = NOON_NS, fs: FileSystem = DISK
) -> list[FileRecord]:
    """What the sealer does with one segment, replay included: publish unless the catalog knows it, then commit."""
    catalog = Catalog.open(data)
    try:
        if catalog.has_entry(origin, entry):
            return []
        rows = tables(spans, events, origin=origin, entry=entry, start_ns=at_ns)
        files = publish_entry(data, origin, entry, rows, sealed_ns=at_ns + SECOND_NS, fs=fs)
        record = entry_record(entry, spans + events, origin=origin, sealed_ns=at_ns + SECOND_NS)
        catalog.commit_entry(record, files, runs={}, trace_runs={})
        return files
    finally:
        catalog.close()
