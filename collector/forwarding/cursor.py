"""How far an exporter has come: one small file, replaced whole at every step, so that a crash costs at most what was under way.

It is written after the backend's success. What was sent and not yet noted goes again: at least once. `finished` remembers the last
segment of each origin by the random number it begins with, so that one which a dying sealer puts into the queue again is known.
"""

import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
import structlog

from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.errors import StorageError
from storage.wal import Segment

NAME: Final = "cursor.json"
_SUM: Final = "crc32"
"""A digit that a disk changed would otherwise leave out what lies between, or send from the middle of a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a queued segment: everything before the offset `begin` was sent, and of what stands up to `end` these signals."""

    origin: str
    entry: int
    seq: int
    begin: int = 0
    end: int = 0
    sent: tuple[str, ...] = ()

    @classmethod
    def start(cls, segment: Segment, seq: int) -> Self:
        """The place before anything of a segment was sent."""
        return cls(origin=segment.origin, entry=segment.entry, seq=seq)


class Cursor:
    """The cursor of one exporter, and its counts since it was first configured."""

    def __init__(self, folder: Path, fs: FileSystem = DISK) -> None:
        """Read what was noted last; a file that is no cursor is replaced, and the queue sent from its start."""
        self._path = folder / NAME
        self._fs = fs
        self._position: Position | None = None
        self._finished: dict[str, tuple[int, int]] = {}
        self.counts: Counter[str] = Counter()
        try:
            self._load(orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError("read the cursor of an exporter", self._path, hint=hint_for(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError):
            structlog.get_logger(__name__).error("the cursor cannot be read: what is in the queue is sent again", path=str(self._path))

    def position(self, segment: Segment, seq: int) -> Position | None:
        """Return where to go on in a segment; None when all of it was sent."""
        if self._finished.get(segment.origin) == (segment.entry, seq):
            return None
        start = Position.start(segment, seq)
        known = self._position
        return known if known is not None and (known.origin, known.entry, known.seq) == (start.origin, start.entry, start.seq) else start

    def advance(self, position: Position) -> None:
        """Note durably how far it is. Raises `StorageError`."""
        self._position = position
        self.save()

    def finish(self, segment: Segment, seq: int) -> None:
        """Note durably that all of a segment was sent, or will not be. Raises `StorageError`."""
        self._position = None
        self._finished[segment.origin] = (segment.entry, seq)
        self.save()

    def _load(self, noted: Any) -> None:
        if noted.pop(_SUM, None) != _sum(noted):
            raise ValueError("another sum")
        self.counts = Counter({str(name): int(number) for name, number in noted["counts"].items()})
        self._finished = {origin: (int(entry), int(seq)) for origin, (entry, seq) in noted["finished"].items()}
        if noted["position"] is not None:
            self._position = Position(**{**noted["position"], "sent": tuple(noted["position"]["sent"])})

    def save(self) -> None:
        """Note durably what is known. Raises `StorageError`."""
        position = self._position
        fields = None if position is None else {name: getattr(position, name) for name in Position.__slots__}
        noted = {"position": fields, "finished": self._finished, "counts": self.counts}
        try:
            write_file(self._path, orjson.dumps({**noted, _SUM: _sum(noted)}), self._fs)
        except OSError as error:
            raise StorageError("note how far an exporter has come", self._path, hint=hint_for(error)) from error


def _sum(noted: Any) -> int:
    return zlib.crc32(orjson.dumps(noted, option=orjson.OPT_SORT_KEYS))
