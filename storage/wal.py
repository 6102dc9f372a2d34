"""The write-ahead log: what is acknowledged is here first, redacted, and durable.

An origin (a collector, the alert process, a command) appends to `<data>/wal/<origin>/<entry>.open`; rotation renames that file to
`.wal` and continues in the next one, and the sealer turns each closed segment into one entry of the lake. There is always an `.open`
file, if only an empty one: its name remembers the entry number when every segment was sealed and deleted.

What survives a crash: every record whose `append` returned. A tail that an interrupted append left is cut off at the next start;
anything else that is no record is kept in `<data>/quarantine/` and counted, and reading goes on behind it.
"""

import hashlib
import heapq
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog

from storage.durable import DISK, FileLock, FileSystem, hint_for, write_all, write_file
from storage.errors import StorageError
from storage.wal_format import (
    SEGMENT_HEADER_BYTES,
    VERSION,
    BatchHeader,
    Counters,
    DamagedRange,
    Receipt,
    RecordType,
    WalRecord,
    encode,
    scan,
    segment_header,
)

__all__ = [
    "BatchHeader", "Counters", "Damage", "Receipt", "RecordType", "Segment", "WalRecord", "WalWriter", "closed_segments", "read_segment",
]  # fmt: skip

_ORIGIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_SEGMENT_NAME: Final = re.compile(r"(\d{12,})\.(open|wal)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of an origin's WAL; it becomes entry number `entry` of that origin."""

    origin: str
    entry: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A range of a closed segment that holds no intact record, and where its bytes are kept."""

    segment: Segment
    offset: int
    size_bytes: int
    reason: str
    lost: int  # WAL records, as far as the sequence numbers tell
    kept: Path


class WalWriter:
    """The one writer of an origin. Any failed write or sync is final: every later call raises, a new writer recovers.

    Calls are serialised; they block for one write and one sync, so an event loop calls them from a thread.
    """

    def __init__(self, data: Path, origin: str, *, first_entry: int = 0, fs: FileSystem = DISK) -> None:
        """Lock the origin, recover what a dead writer left, and open the next segment (never numbered below `first_entry`).

        Raises `LakeLocked` when a live process writes this origin, `StorageError` when the disk refuses.
        """
        if not _ORIGIN.fullmatch(origin):
            raise StorageError("open the WAL", origin, hint="an origin is names of A-Z a-z 0-9 . _ - joined by /")
        self.origin = origin
        self._data = data
        self._directory = data / "wal" / origin
        self._fs = fs
        self._lock = threading.Lock()
        self._poison: str | None = None
        self._descriptor = -1
        self._file_lock = FileLock(self._directory / "LOCK", f"open the WAL of {origin}")
        try:
            self._begin(max(first_entry, self._recover()))
        except BaseException as error:
            self._release()
            if isinstance(error, OSError):
                raise StorageError("open the WAL", self._directory, hint=hint_for(error)) from error
            raise

    @property
    def entry(self) -> int:
        """Number of the segment that is being written."""
        return self._entry

    @property
    def size_bytes(self) -> int:
        """Durable bytes of the segment that is being written: rotate early when this grows large."""
        return self._size

    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None:
        """Make (type, header, body) records durable, all of them or none: one write, one sync. Raises `StorageError`."""
        if not records:
            return
        with self._lock:
            self._usable()
            content = encode(self._seq, records)
            try:
                write_all(self._fs, self._descriptor, content)
                self._fs.sync(self._descriptor)
            except OSError as error:
                raise self._poisoned("append to the WAL", error) from error
            self._seq += len(records)
            self._size += len(content)
            self._records += len(records)

    def rotate(self) -> Segment | None:
        """Close the current segment if it has records and go on in the next; the closed one may be sealed from now on."""
        with self._lock:
            self._usable()
            if not self._records:
                return None
            segment = Segment(origin=self.origin, entry=self._entry, path=self._path.with_suffix(".wal"))
            full, full_path = self._descriptor, self._path
            try:
                self._begin(self._entry + 1)  # before the rename: at no moment is there no file to remember the number
                self._fs.replace(full_path, segment.path)
                self._fs.sync_directory(self._directory)
            except OSError as error:
                raise self._poisoned("rotate the WAL", error) from error
            finally:
                if full != self._descriptor:
                    self._fs.close(full)
            return segment

    def close(self) -> None:
        """Rotate if there is something to seal, and give the origin's lock back. Never raises for a poisoned writer."""
        if self._poison is None and self._descriptor >= 0:
            self.rotate()
        self._release()

    def _usable(self) -> None:
        if self._poison is not None:
            raise StorageError(
                "write to the WAL", self._path, hint=f"an earlier write failed ({self._poison}): close this writer and open a new one"
            )
        if self._descriptor < 0:
            raise StorageError("write to the WAL", self._path, hint="this writer was closed: open a new one")

    def _poisoned(self, attempted: str, error: OSError) -> StorageError:
        self._poison = hint_for(error)
        try:  # nothing was acknowledged: do not leave it to be recovered. If this fails too, the sender's repeat is de-duplicated
            self._fs.truncate(self._descriptor, self._size)
        except OSError:
            structlog.get_logger(__name__).warning("unacknowledged bytes stay in the WAL", origin=self.origin, entry=self._entry)
        structlog.get_logger(__name__).error("WAL writer stopped", origin=self.origin, entry=self._entry, errno=error.errno)
        return StorageError(attempted, self._path, hint=self._poison)

    def _release(self) -> None:
        if self._descriptor >= 0:
            self._fs.close(self._descriptor)
            self._descriptor = -1
        self._file_lock.release()

    def _begin(self, entry: int) -> None:
        """Open segment `entry` with its header, durably named. Its content before, if any, was no record."""
        path = self._directory / f"{entry:012d}.open"
        descriptor = self._fs.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        try:
            first_seq = secrets.randbits(62)
            write_all(self._fs, descriptor, segment_header(first_seq))
            self._fs.sync(descriptor)
            self._fs.sync_directory(self._directory)
        except BaseException:
            self._fs.close(descriptor)
            raise
        self._entry, self._path, self._descriptor, self._seq = entry, path, descriptor, first_seq
        self._size, self._records = SEGMENT_HEADER_BYTES, 0

    def _recover(self) -> int:
        """Close what an earlier writer left open; return the next entry number."""
        following = 0
        for segment in _segments(self._directory, self.origin):
            is_open = segment.path.suffix == ".open"
            holds_records = self._close_left_over(segment) if is_open else True
            following = max(following, segment.entry + 1 if holds_records else segment.entry)
        for segment in _segments(self._directory, self.origin):
            if segment.path.suffix == ".open" and segment.entry < following:
                self._fs.unlink(segment.path)
        return following

    def _close_left_over(self, segment: Segment) -> bool:
        """Cut a torn tail off an `.open` segment and close it; false when no record is in it."""
        size_bytes = segment.path.stat().st_size
        end, records = SEGMENT_HEADER_BYTES, 0
        with segment.path.open("rb") as file:
            for piece in scan(file, size_bytes):
                if isinstance(piece, WalRecord):
                    end, records = piece.end, records + 1
                elif piece.tail and not piece.torn:
                    _quarantine(segment, piece, self._data / "quarantine", self._fs)
        if end < size_bytes:
            self._truncate(segment.path, end)
            structlog.get_logger(__name__).info("WAL tail cut off", origin=self.origin, entry=segment.entry, bytes=size_bytes - end)
        if records:
            self._fs.replace(segment.path, segment.path.with_suffix(".wal"))
            self._fs.sync_directory(self._directory)
        return records > 0

    def _truncate(self, path: Path, size_bytes: int) -> None:
        descriptor = self._fs.open(path, os.O_RDWR)
        try:
            self._fs.truncate(descriptor, size_bytes)
            self._fs.sync(descriptor)
        finally:
            self._fs.close(descriptor)


def closed_segments(data: Path) -> list[Segment]:
    """The closed segments of all origins, each origin in the order of its entries, across origins oldest first."""
    root = data / "wal"
    origins: dict[str, list[tuple[int, Segment]]] = {}
    for path in root.rglob("*.wal"):
        if (name := _SEGMENT_NAME.fullmatch(path.name)) is None:
            continue
        segment = Segment(origin=path.parent.relative_to(root).as_posix(), entry=int(name[1]), path=path)
        try:
            origins.setdefault(segment.origin, []).append((path.stat().st_mtime_ns, segment))
        except FileNotFoundError:  # sealed and deleted meanwhile
            continue
    ordered = [sorted(found, key=lambda pair: pair[1].entry) for found in origins.values()]
    return [segment for _, segment in heapq.merge(*ordered, key=lambda pair: (pair[0], pair[1].origin))]


def read_segment(
    segment: Segment, quarantine: Path, *, on_damage: Callable[[Damage], None] | None = None, fs: FileSystem = DISK
) -> Iterator[WalRecord]:
    """Yield the intact records of a closed segment in order, one in memory at a time.

    Everything else in it is copied to `quarantine` (the same names when read again), logged, and reported to `on_damage` before the
    record behind it is yielded. Raises `StorageError` when the file cannot be read or a newer version wrote it.
    """
    try:
        with segment.path.open("rb") as file:
            for piece in scan(file, segment.path.stat().st_size):
                if isinstance(piece, WalRecord):
                    yield _understood(segment, piece)
                else:
                    damage = _quarantine(segment, piece, quarantine, fs)
                    if on_damage is not None:
                        on_damage(damage)
    except OSError as error:
        raise StorageError("read the WAL", segment.path, hint=hint_for(error)) from error


def _understood(segment: Segment, record: WalRecord) -> WalRecord:
    if record.version != VERSION or record.type not in set(RecordType):
        raise StorageError("read the WAL", segment.path, hint="a newer version of auditlake wrote it: run that version")
    return record


def _segments(directory: Path, origin: str) -> list[Segment]:
    names = ((path, _SEGMENT_NAME.fullmatch(path.name)) for path in directory.iterdir())
    found = [Segment(origin=origin, entry=int(name[1]), path=path) for path, name in names if name is not None]
    return sorted(found, key=lambda segment: (segment.entry, segment.path.suffix))


def _quarantine(segment: Segment, damaged: DamagedRange, quarantine: Path, fs: FileSystem) -> Damage:
    """Keep the damaged bytes (they were redacted before they were written) with a JSON beside them that says why."""
    kept = quarantine / f"{segment.origin.replace('/', '~')}-{segment.entry:012d}-{damaged.offset}.bin"
    with segment.path.open("rb") as file:
        file.seek(damaged.offset)
        content = file.read(damaged.size_bytes)
    why = {
        "origin": segment.origin,
        "entry": segment.entry,
        "offset": damaged.offset,
        "bytes": damaged.size_bytes,
        "reason": damaged.reason,
        "lost_records": damaged.lost,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_file(kept, content, fs)
    write_file(kept.with_suffix(".json"), orjson.dumps(why, option=orjson.OPT_INDENT_2), fs)
    structlog.get_logger(__name__).error(
        "WAL bytes quarantined", origin=segment.origin, entry=segment.entry, reason=damaged.reason, bytes=damaged.size_bytes
    )
    return Damage(
        segment=segment, offset=damaged.offset, size_bytes=damaged.size_bytes, reason=damaged.reason, lost=damaged.lost, kept=kept
    )
