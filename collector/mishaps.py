"""What went wrong with the WAL and could not be told at once: pieces that were put into quarantine, and a WAL that failed.

Who cannot write cannot write that either. So every collector keeps a small file whose space is taken at its start: when the WAL fails, it
is overwritten in place, which also a full disk allows, and the next start tells what it finds. A disk that takes no writes at all keeps
the secret; health and the log told it.
"""

import contextlib
import os
import re
from collections import Counter
from pathlib import Path
from typing import Final

from collector.own_events import OwnEvent, wal_damaged_event, wal_failed_event

_WELL: Final = b"the WAL is well   \n"
_FAILED: Final = b"the WAL has failed\n"
_TOLD: Final = ".told"
_PIECE: Final = re.compile(r"(?P<origin>.+)-\d{12,}-.*\.bin")
MOST_ORIGINS: Final = 20
"""Origins that are told apart in one go."""


class Mishaps:
    """The mishaps of one origin's WAL and, for one collector of a data directory, of all quarantine. Blocking: call it in a thread.

    Nothing here raises: an event that cannot be told must not end who tells it.
    """

    def __init__(self, data: Path, origin: str, *, quarantine: bool) -> None:
        self._origin = origin
        self._note = data / "wal" / origin / "condition"
        self._quarantine = data / "quarantine" if quarantine else None
        self._failed_before = self._read() == _FAILED
        self._pieces: frozenset[str] = frozenset()  # that `events` returned last
        self._told: set[str] = set()  # in this process, should the file not take it
        self._noted = False
        if not self._failed_before:
            self._write(_WELL)

    def events(self) -> list[OwnEvent]:
        """Return what was not told yet."""
        events = [wal_failed_event(self._origin)] if self._failed_before else []
        self._pieces = self._untold()
        origins = Counter(_origin(name) for name in self._pieces)
        return events + [wal_damaged_event(origin, pieces) for origin, pieces in origins.most_common(MOST_ORIGINS)]

    def told(self) -> None:
        """What `events` returned is durable: forget it."""
        if self._failed_before:
            self._failed_before = False
            self._write(_WELL)
        self._told |= self._pieces
        if self._pieces and self._quarantine is not None:
            with contextlib.suppress(OSError), (self._quarantine / _TOLD).open("a", encoding="utf-8") as file:
                file.writelines(f"{name}\n" for name in sorted(self._pieces))
                file.flush()
                os.fsync(file.fileno())

    def wal_failed(self) -> None:
        """Note that the WAL failed, for the next start."""
        if not self._noted:
            self._noted = True
            self._write(_FAILED)

    def _untold(self) -> frozenset[str]:
        if self._quarantine is None:
            return frozenset()
        with contextlib.suppress(OSError):
            pieces = {path.name for path in self._quarantine.glob("*.bin")}
            if pieces and (told := self._quarantine / _TOLD).exists():
                pieces.difference_update(told.read_text(encoding="utf-8").splitlines())
            return frozenset(pieces - self._told)
        return frozenset()

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):
            return self._note.read_bytes()
        return b""

    def _write(self, condition: bytes) -> None:
        """Overwrite the note in place: as long as it was, so that no space has to be found."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self._note, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(descriptor, condition, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _origin(piece: str) -> str:
    """Return whose WAL a piece is from, by its name (`storage.wal`, `collector.segment`)."""
    found = _PIECE.fullmatch(piece)
    return found["origin"].replace("~", "/") if found else "unknown"
