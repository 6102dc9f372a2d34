"""The write-ahead log: what is acknowledged is here first, redacted, and durable.

An origin (a collector, the alert process, a command) appends to `<data>/wal/<origin>/<entry>.open`; rotation renames that file to
`<entry>-<records>.wal` and continues in the next one, and the sealer turns each closed segment into one entry of the lake. The number of
records is in the name because a file that was cut between two records looks whole. There is always an `.open` file, if only an empty
one: its name remembers the entry number when every segment was sealed and deleted.

What survives a crash: every record whose `append` returned. A tail that an interrupted append left is cut off at the next start;
anything else that is no record is kept in `<data>/quarantine/` and counted, and reading goes on behind it.
"""

import os
import re
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from storage.durable import DISK, FileLock, FileSystem, hint_for, write_all
from storage.errors import StorageError
from storage.wal_format import (
    SEGMENT_HEADER_BYTES,
    BatchHeader,
    Counters,
    Receipt,
    RecordType,
    WalRecord,
    encode,
    scan,
    segment_header,
)
from storage.wal_reading import Damage, Segment, closed_segment, closed_segments, quarantine_range, read_segment, segments_in

__all__ = [
    "BatchHeader", "Counters", "Damage", "Receipt", "RecordType", "Segment", "WalRecord", "WalWriter", "closed_segments", "read_segment",
]  # fmt: skip

_ORIGIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


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
        self._named = False  # the directory was synced since the segment got its name
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
            self._write(records, named=True)

    def append_segment(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> Segment:
        """Append `records` and close the segment: durable in two syncs, which is least for who has only these to write."""
        with self._lock:
            self._usable()
            self._write(records, named=False)
            return self._close_segment()

    def rotate(self) -> Segment | None:
        """Close the current segment if it has records and go on in the next; the closed one may be sealed from now on."""
        with self._lock:
            self._usable()
            return self._close_segment() if self._records else None

    def close(self) -> None:
        """Rotate if there is something to seal, and give the origin's lock back. Never raises for a poisoned writer."""
        if self._poison is None and self._descriptor >= 0:
            self.rotate()
        self._release()

    def _write(self, records: Sequence[tuple[RecordType, bytes, bytes]], *, named: bool) -> None:
        """Write records and sync them; `named`: and the name of their segment, where that was not done."""
        content = encode(self._seq, records)
        try:
            write_all(self._fs, self._descriptor, content)
            self._fs.sync(self._descriptor)
            if named and not self._named:
                self._fs.sync_directory(self._directory)
                self._named = True
        except OSError as error:
            raise self._poisoned("append to the WAL", error) from error
        self._seq += len(records)
        self._size += len(content)
        self._records += len(records)

    def _close_segment(self) -> Segment:
        segment = closed_segment(self.origin, self._entry, self._path, self._records)
        full, full_path = self._descriptor, self._path
        try:
            self._begin(self._entry + 1)  # before the rename: at no moment is there no file to remember the number
            self._fs.replace(full_path, segment.path)
            self._fs.sync_directory(self._directory)
            self._named = True
        except OSError as error:
            raise self._poisoned("rotate the WAL", error) from error
        finally:
            if full != self._descriptor:
                self._fs.close(full)
        return segment

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
        """Open segment `entry` with its header, which is synced with its first records. Its content before, if any, was no record."""
        path = self._directory / f"{entry:012d}.open"
        descriptor = self._fs.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        try:
            first_seq = secrets.randbits(62)
            write_all(self._fs, descriptor, segment_header(first_seq))
        except BaseException:
            self._fs.close(descriptor)
            raise
        self._entry, self._path, self._descriptor, self._seq = entry, path, descriptor, first_seq
        self._size, self._records, self._named = SEGMENT_HEADER_BYTES, 0, False

    def _recover(self) -> int:
        """Close what an earlier writer left open; return the next entry number."""
        following = 0
        for segment in segments_in(self._directory, self.origin):
            is_open = segment.path.suffix == ".open"
            holds_records = self._close_left_over(segment) if is_open else True
            following = max(following, segment.entry + 1 if holds_records else segment.entry)
        for segment in segments_in(self._directory, self.origin):
            if segment.path.suffix == ".open" and segment.entry < following:
                self._fs.unlink(segment.path)
        return following

    def _close_left_over(self, segment: Segment) -> bool:
        """Cut a torn tail off an `.open` segment and close it; false when no record is, or was, in it."""
        size_bytes = segment.path.stat().st_size
        end, records = SEGMENT_HEADER_BYTES, 0
        with segment.path.open("rb") as file:
            for piece in scan(file, size_bytes):
                if isinstance(piece, WalRecord):
                    end, records = piece.end, records + 1
                elif piece.tail and not piece.torn:  # may have been acknowledged: who reads the segment finds it missing
                    quarantine_range(segment, piece, self._data / "quarantine", self._fs)
                    records += piece.lost
        if end < size_bytes:
            self._truncate(segment.path, end)
            structlog.get_logger(__name__).info("WAL tail cut off", origin=self.origin, entry=segment.entry, bytes=size_bytes - end)
        if records:
            self._fs.replace(segment.path, closed_segment(self.origin, segment.entry, segment.path, records).path)
            self._fs.sync_directory(self._directory)
        return records > 0

    def _truncate(self, path: Path, size_bytes: int) -> None:
        descriptor = self._fs.open(path, os.O_RDWR)
        try:
            self._fs.truncate(descriptor, size_bytes)
            self._fs.sync(descriptor)
        finally:
            self._fs.close(descriptor)
