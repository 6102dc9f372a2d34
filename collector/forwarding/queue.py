"""The persistent queue of an exporter: WAL segments that were sealed and have yet to be sent, one file each.

    <data>/forward/<exporter>/exporter.json    there while the exporter is configured: what is sealed is kept for it
    <data>/forward/<exporter>/queue/<origin>-<entry>.wal

`keep` gives a segment a second name in each queue before the sealer deletes the first one: a hard link, so that ingestion neither
waits nor copies, and one copy of the bytes serves all exporters. Whoever seals keeps, also a command while no collector runs, because
what is configured stands beside the data. A crash between the link and the deletion links again, which changes nothing.
"""

import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from storage.durable import DISK, FileLock, FileSystem, created, hint_for, make_directory, publish, write_file
from storage.errors import LakeLocked, StorageError
from storage.layout import origin_name
from storage.wal import Segment

FOLDER: Final = "forward"
MARKER: Final = "exporter.json"
LOCK: Final = "LOCK"
_NAME: Final = re.compile(r"(.+)-(\d{12,})\.wal")
_COPY_BYTES: Final = 1 << 20


def exporter_folder(data: Path, exporter: str) -> Path:
    """Where everything of an exporter is; different ids give different names (`~` is in no id)."""
    return data / FOLDER / exporter.replace("/", "~")


def exporter_of(folder: Path) -> str:
    """The id that `exporter_folder` made this folder of."""
    return folder.name.replace("~", "/")


def keep(data: Path, segment: Segment, fs: FileSystem = DISK) -> None:
    """Put a closed segment into the queue of every configured exporter, durably. Raises `StorageError`, and then it must not be deleted."""
    for marker in (data / FOLDER).glob(f"*/{MARKER}"):
        target = marker.parent / "queue" / f"{origin_name(segment.origin)}-{segment.entry:012d}.wal"
        try:
            _link(segment.path, target, fs)
            fs.sync_directory(target.parent)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not segment.path.exists():
                return  # another sealer finished with it just now
            raise StorageError("keep a segment for forwarding", target, hint=hint_for(error)) from error


def _link(source: Path, target: Path, fs: FileSystem) -> None:
    make_directory(target.parent, fs)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links, or too many of them
        _copy(source, target, fs)


def _copy(source: Path, target: Path, fs: FileSystem) -> None:
    """Copy whole or not at all; the time of the last write goes along, it is the age of what is in it."""
    temporary = target.with_suffix(".tmp")
    with source.open("rb") as original, created(temporary, fs) as copy:
        while chunk := original.read(_COPY_BYTES):
            copy.write(chunk)
        copy.flush()
        fs.sync(copy.fileno())
    status = source.stat()
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    publish(temporary, target, fs)


def activate(data: Path, exporters: Mapping[str, Iterable[str]]) -> list[str]:
    """Keep what is sealed from now on for these exporters (id → its signals), and for no others; returns the queues left over.

    An exporter that another live collector of this data directory forwards to stays as it is. Raises `StorageError`.
    """
    wanted = {exporter_folder(data, exporter): sorted(signals) for exporter, signals in exporters.items()}
    try:
        for folder, signals in wanted.items():
            make_directory(folder / "queue")
            write_file(folder / MARKER, orjson.dumps({"exporter": exporter_of(folder), "signals": signals}))
        for marker in (data / FOLDER).glob(f"*/{MARKER}"):
            if marker.parent not in wanted:
                _deactivate(marker)
    except OSError as error:
        raise StorageError("prepare the queues of the exporters", data / FOLDER, hint=hint_for(error)) from error
    return [exporter for exporter in left_over(data) if exporter not in exporters]


def _deactivate(marker: Path) -> None:
    try:
        with FileLock(marker.parent / LOCK, "see whether the exporter is in use"):
            marker.unlink(missing_ok=True)
            DISK.sync_directory(marker.parent)
    except LakeLocked:
        return


def configured(data: Path) -> list[str]:
    """The exporters for which is kept what is sealed."""
    return sorted(exporter_of(marker.parent) for marker in (data / FOLDER).glob(f"*/{MARKER}"))


def left_over(data: Path) -> list[str]:
    """The exporters that are configured no more and have something left in their queue."""
    folders = sorted(path for path in (data / FOLDER).glob("*") if path.is_dir())
    return [exporter_of(folder) for folder in folders if not (folder / MARKER).exists() and any((folder / "queue").glob("*.wal"))]


class Queued(NamedTuple):
    """One segment in a queue. They sort as they are sent: each origin in the order of its entries, across origins oldest first."""

    order_ns: int  # the time of the last write to it, or to an earlier entry of its origin when that is later
    origin: str
    entry: int
    size_bytes: int
    written_ns: int


class Held:
    """A queued segment while it is sent. An erasure writes it anew under its name: what was read of it before is not to be sent then."""

    def __init__(self, segment: Segment) -> None:
        """Raises FileNotFoundError when somebody took it away."""
        self.segment = segment
        self._descriptor = os.open(segment.path, os.O_RDONLY)  # as long as it is open, no other file has its number

    def is_current(self) -> bool:
        """Whether it is the same file still, or gone: sent and deleted files are not written anew."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.segment.path.stat())
        except FileNotFoundError:
            return True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class Backlog:
    """What waits in the queue of one exporter, oldest first. There may be very many small files when a backend was away for days, so
    each is looked at once, and remembered in little."""

    def __init__(self, folder: Path, fs: FileSystem = DISK) -> None:
        self._folder = folder / "queue"
        self._fs = fs
        self._waiting: list[Queued] = []
        self._newest: dict[str, Queued] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Queued | None:
        """What is sent next, or dropped first."""
        return self._waiting[0] if self._waiting else None

    def segment(self, queued: Queued) -> Segment:
        """Return the file of a queued segment."""
        name = f"{origin_name(queued.origin)}-{queued.entry:012d}.wal"
        return Segment(origin=queued.origin, entry=queued.entry, path=self._folder / name)

    def refresh(self) -> None:
        """Find what was put into the queue since the last time. Raises OSError."""
        found = sorted(self._new_names())
        for origin, entry, path in found:
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            before = self._newest.get(origin)
            order_ns = max(status.st_mtime_ns, before.order_ns) if before else status.st_mtime_ns
            queued = self._newest[origin] = Queued(order_ns, origin, entry, status.st_size, status.st_mtime_ns)
            self._waiting.append(queued)
            self.size_bytes += status.st_size
        if found:
            self._waiting.sort()

    def remove(self, queued: Queued) -> None:
        """Delete a segment: it was sent, or is dropped. Raises OSError."""
        with suppress(FileNotFoundError):  # somebody took it away
            self._fs.unlink(self.segment(queued).path)
        del self._waiting[bisect_left(self._waiting, queued)]
        self.size_bytes -= queued.size_bytes

    def _new_names(self) -> Iterator[tuple[str, int, Path]]:
        waiting = {queued.origin for queued in self._waiting}
        with os.scandir(self._folder) as entries:
            for found in entries:
                name = _NAME.fullmatch(found.name)
                if name is None:
                    continue
                origin, entry = name[1].replace("~", "/"), int(name[2])
                newest = self._newest.get(origin)
                # the last one that was sent comes back when the sealer died before it deleted the segment
                if newest is None or entry > newest.entry or (entry == newest.entry and origin not in waiting):
                    yield origin, entry, Path(found.path)
