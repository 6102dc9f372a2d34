"""A disk that loses its power: what no sync made durable is gone, or there in part, as a journal of the file system may have it.

`kill -9` leaves everything that was written. A power loss does not: of a file there is what was synced last, of a name what a sync of its
folder made durable. Names that were given, changed or taken since may be there or not, each for itself; a rename is whole or not at all.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.flow import Folder, work
from tests.faults.points import Reached, ToldDisk, arm, killing

KEPT: Final = ("none", "all", "every other", "all but every other")
"""Which of the names that no sync made durable a power loss leaves as they were."""
FOLDERS: Final = ("wal", "data", "ledger", "quarantine", "forward")
"""What is written through `FileSystem`; SQLite syncs by itself, and locks are nobody's content."""


@dataclass(frozen=True, slots=True)
class Change:
    """A name that was given (no source), changed, or taken (no target), and the number of its file."""

    file: int
    source: Path | None
    target: Path | None


class Power(ToldDisk):
    """The real disk, which knows what of it is durable."""

    def __init__(self, data: Path, reached: Reached) -> None:
        super().__init__(data, reached)
        self._names: dict[Path, int] = {}
        self._content: dict[int, bytes] = {}
        self._held: dict[int, int] = {}  # a descriptor of each file, so that its number is given to no other
        self._changes: list[Change] = []
        for folder in FOLDERS:
            for path in (data / folder).rglob("*"):
                if path.is_file() and path.name != "LOCK":
                    self._names[path] = self._hold(path)
                    self._content[self._names[path]] = path.read_bytes()

    def open(self, path: Path, flags: int) -> int:
        is_new = not path.exists()
        descriptor = super().open(path, flags)
        file = self._hold(path)
        if is_new:
            self._changes.append(Change(file, None, path))
        return descriptor

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        file = os.fstat(descriptor).st_ino
        self._content[file] = os.pread(self._held[file], os.fstat(descriptor).st_size, 0)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        for change in [each for each in self._changes if path in {name.parent for name in (each.source, each.target) if name}]:
            self._apply(change)
        for found in path.iterdir():  # a second name of a file, which nobody tells of: it is durable from here on
            if found.is_file() and (file := found.stat().st_ino) in self._held:
                self._names.setdefault(found, file)

    def replace(self, source: Path, target: Path) -> None:
        file = source.stat().st_ino
        super().replace(source, target)
        self._changes.append(Change(file, source, target))

    def unlink(self, path: Path) -> None:
        file = path.stat().st_ino
        super().unlink(path)
        self._changes.append(Change(file, path, None))

    def was_damaged(self, path: Path) -> None:
        self._content[path.stat().st_ino] = path.read_bytes()

    def lose(self, kept: str) -> None:
        """Leave on the real disk what a power loss leaves."""
        changes = self._changes
        for change in {"none": [], "all": changes[:], "every other": changes[::2], "all but every other": changes[1::2]}[kept]:
            self._apply(change)
        for folder in FOLDERS:
            for path in (self._data / folder).rglob("*"):
                if path.is_file() and path.stat().st_ino in self._held:
                    path.unlink()
        for path, file in self._names.items():
            path.write_bytes(self._content.get(file, b""))

    def _apply(self, last: Change) -> None:
        """Make a change durable, and with it all earlier ones of its file."""
        if last not in self._changes:
            return
        for change in [each for each in self._changes[: self._changes.index(last) + 1] if each.file == last.file]:
            self._changes.remove(change)
            if change.source is not None and self._names.get(change.source) == change.file:
                del self._names[change.source]
            if change.target is not None:
                self._names[change.target] = change.file

    def _hold(self, path: Path) -> int:
        file = path.stat().st_ino
        if file not in self._held:
            self._held[file] = os.open(path, os.O_RDONLY)
        return file


def lose_power(path: str, name: str, moment: str, occurrence: int, kept: str) -> None:
    """The process whose machine loses its power at this point; what it is forked from has imported everything."""
    reached = killing(name, moment, occurrence, lambda: disk.lose(kept))
    folder = Folder(Path(path))
    disk = Power(folder.data, reached)
    arm(reached)
    work(folder, reached, disk)
