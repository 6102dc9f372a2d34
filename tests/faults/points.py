"""Every point at which a collector's work behind a request can be interrupted, in one table, and what kills a process there.

The table is complete for the flow of `tests/faults/flow.py`: a call of the file system that no row names fails a test, so whoever adds
one has to add its row here and in docs/durability.md.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import collector.forwarding.queue
import storage.catalog
from collector.decode import Decoder
from collector.pipeline import Pipeline
from collector.redact import Walker
from storage.catalog import Catalog
from storage.durable import DISK
from storage.ledger.log_writer import LogWriter

BEFORE: Final = "before"
AFTER: Final = "after"
TORN: Final = "torn"

Reached = Callable[[str, str], None]
"""Is told the name of a point and the moment: before, after, or torn (in the middle of a write)."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place to die at: of a stage of the flow, under a name; a process is killed at each of its moments."""

    stage: str
    name: str
    moments: tuple[str, ...] = (BEFORE,)  # after one is before the next


POINTS: Final = (
    Point("recover", "truncate open segment"),
    Point("recover", "sync open segment"),
    Point("WAL create", "open open segment"),
    Point("WAL create", "write segment header", (BEFORE, TORN)),
    Point("receive", "Pipeline.export"),
    Point("redact", "Walker.clean"),
    Point("append", "write records", (BEFORE, TORN)),
    Point("fdatasync", "sync records"),
    Point("acknowledge", "answer", (BEFORE, AFTER)),
    Point("rotate", "replace open segment by closed segment"),
    Point("rotate", "sync_directory WAL folder"),
    Point("quarantine", "open quarantine file"),
    Point("quarantine", "write quarantine file", (BEFORE, TORN)),
    Point("quarantine", "sync quarantine file"),
    Point("quarantine", "replace quarantine file by quarantine file"),
    Point("quarantine", "sync_directory quarantine folder"),
    Point("decode", "Decoder.tables"),
    Point("settle copies", "Catalog.settle_copies"),
    Point("publish", "open staged file"),
    Point("publish", "write staged file", (BEFORE, TORN)),
    Point("publish", "sync staged file"),
    Point("publish", "replace staged file by live file"),
    Point("publish", "sync_directory lake folder"),
    Point("catalog", "Catalog.commit_entry"),
    Point("catalog", "in the transaction"),
    Point("log", "LogWriter.advance"),
    Point("log", "open bundle"),
    Point("log", "write bundle", (BEFORE, TORN)),
    Point("log", "sync bundle"),
    Point("log", "open tile"),
    Point("log", "write tile", (BEFORE, TORN)),
    Point("log", "sync tile"),
    Point("log", "replace bundle by bundle"),
    Point("log", "replace tile by tile"),
    Point("log", "sync_directory log folder"),
    Point("checkpoint", "open public keys"),
    Point("checkpoint", "write public keys", (BEFORE, TORN)),
    Point("checkpoint", "sync public keys"),
    Point("checkpoint", "replace public keys by public keys"),
    Point("checkpoint", "open checkpoint"),
    Point("checkpoint", "write checkpoint", (BEFORE, TORN)),
    Point("checkpoint", "sync checkpoint"),
    Point("checkpoint", "replace checkpoint by checkpoint"),
    Point("keep", "link closed segment into queue"),
    Point("keep", "sync_directory queue folder"),
    Point("delete", "unlink closed segment"),
    Point("merge", "open merged file"),
    Point("merge", "write merged file", (BEFORE, TORN)),
    Point("merge", "sync merged file"),
    Point("merge", "sync_directory staging folder"),
    Point("swap", "Catalog.swap"),
    Point("swap", "replace live file by retired file"),
    Point("swap", "replace merged file by live file"),
    Point("swap", "sync_directory retired folder"),
    Point("retired delete", "unlink retired file"),
    Point("retired delete", "Catalog.forget"),
    Point("folders", "sync_directory data folder"),
    Point("forward", "send", (BEFORE, AFTER)),
    Point("cursor", "open cursor"),
    Point("cursor", "write cursor", (BEFORE, TORN)),
    Point("cursor", "sync cursor"),
    Point("cursor", "replace cursor by cursor"),
    Point("cursor", "sync_directory exporter folder"),
    Point("release", "unlink queued segment"),
)

_HOOKS: Final[tuple[tuple[Any, str, str], ...]] = (
    (Pipeline, "export", "Pipeline.export"),
    (Walker, "clean", "Walker.clean"),
    (Decoder, "tables", "Decoder.tables"),
    (Catalog, "settle_copies", "Catalog.settle_copies"),
    (Catalog, "commit_entry", "Catalog.commit_entry"),
    (storage.catalog, "_upsert_runs", "in the transaction"),
    (LogWriter, "advance", "LogWriter.advance"),
    (Catalog, "swap", "Catalog.swap"),
    (Catalog, "forget", "Catalog.forget"),
    (collector.forwarding.queue, "_link", "link closed segment into queue"),
)


def arm(reached: Reached) -> None:
    """From now on tell `reached` about the points that are no calls of the file system; for a process that dies."""
    for owner, attribute, name in _HOOKS:
        setattr(owner, attribute, _told(getattr(owner, attribute), name, reached))


def _told(original: Any, name: str, reached: Reached) -> Any:
    def told(*arguments: Any, **named: Any) -> Any:
        reached(name, BEFORE)
        return original(*arguments, **named)

    return told


def killing(name: str, moment: str, occurrence: int, first: Callable[[], None] = lambda: None) -> Reached:
    """Do what is to be done `first`, and kill this process, when it is at this point for the time `occurrence`, from 1."""
    seen = 0

    def reached(at: str, when: str) -> None:
        nonlocal seen
        if (at, when) == (name, moment):
            seen += 1
            if seen == occurrence:
                first()
                os.kill(os.getpid(), signal.SIGKILL)

    return reached


class ToldDisk:
    """The real disk, which tells `reached` before each call, and in the middle of each write."""

    def __init__(self, data: Path, reached: Reached) -> None:
        self._data = data
        self._reached = reached
        self._opened: dict[int, list[str]] = {}  # descriptor → names of what is written next, the last one stays

    def open(self, path: Path, flags: int) -> int:
        name = self._name(path)
        self._reached(f"open {name}", BEFORE)
        descriptor = DISK.open(path, flags)
        creates = name == "open segment" and flags & os.O_CREAT
        self._opened[descriptor] = ["records", "segment header"] if creates else [name]
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        names = self._opened[descriptor]
        name = f"write {names.pop() if len(names) > 1 else names[0]}"
        self._reached(name, BEFORE)
        half = len(data) // 2
        written = DISK.write(descriptor, data[:half]) if half else 0
        self._reached(name, TORN)
        return written + DISK.write(descriptor, data[written:])

    def sync(self, descriptor: int) -> None:
        self._reached(f"sync {self._opened[descriptor][-1]}", BEFORE)
        DISK.sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._reached(f"sync_directory {self._folder(path)}", BEFORE)
        DISK.sync_directory(path)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._reached(f"truncate {self._opened[descriptor][-1]}", BEFORE)
        DISK.truncate(descriptor, size_bytes)

    def close(self, descriptor: int) -> None:
        DISK.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._reached(f"replace {self._name(source)} by {self._name(target)}", BEFORE)
        DISK.replace(source, target)

    def unlink(self, path: Path) -> None:
        self._reached(f"unlink {self._name(path)}", BEFORE)
        DISK.unlink(path)

    def was_damaged(self, path: Path) -> None:
        """The disk itself changed what it holds: that is no call."""

    def _name(self, path: Path) -> str:
        """What a file is, by where it stands."""
        match path.relative_to(self._data).parts:
            case ("wal", *_):
                return {".open": "open segment", ".wal": "closed segment"}[path.suffix]
            case ("data", ".staging", "sealed", *_):
                return "staged file"
            case ("data", ".staging", "merged", *_):
                return "merged file"
            case ("data", ".retired", *_):
                return "retired file"
            case ("quarantine", *_):
                return "quarantine file"
            case ("ledger", *_, "entries", _, _):
                return "bundle"
            case ("ledger", *_, "tile", _, _, _):
                return "tile"
            case ("forward", _, "queue", _):
                return "queued segment"
            case ("forward", _, "dead-letters", _):
                return "dead letter"
            case ("forward", _, _):
                return "cursor"
            case ("ledger", *_, name):
                return "checkpoint" if name.startswith("checkpoint") else "public keys"
        return "live file"

    def _folder(self, path: Path) -> str:
        match path.relative_to(self._data).parts:
            case ("wal", _, _):
                return "WAL folder"
            case ("data", ".staging", _, _, _):
                return "staging folder"
            case ("data", ".retired", _, _):
                return "retired folder"
            case ("data", table, _) if not table.startswith("."):
                return "lake folder"
            case ("quarantine",):
                return "quarantine folder"
            case ("ledger", *_):
                return "log folder"
            case ("forward", _, "queue"):
                return "queue folder"
            case ("forward", _, "dead-letters"):
                return "dead letters folder"
            case ("forward", _):
                return "exporter folder"
        return "data folder"
