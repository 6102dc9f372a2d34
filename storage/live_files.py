"""The files that a reader reads, as the catalog lists them: all of one window of time in one state of the lake, without damaged ones."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from storage.catalog import Catalog
from storage.damage import Damage, damage_in
from storage.layout import FileRecord, locate
from storage.schema import TABLES

Window = tuple[int | None, int | None]
"""Unix ns, both ends included; None is open."""

_KEPT_AT_MOST: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The files to read: of one version of the catalog and one window of time."""

    files: Mapping[str, tuple[FileRecord, ...]]
    paths: Mapping[str, list[str]]


class LiveFiles:
    """What the catalog of a data directory lists; may be used from several threads."""

    def __init__(self, data: Path, catalog: Catalog) -> None:
        self._data = data
        self._catalog = catalog
        self._lock = threading.RLock()
        self._selections: dict[Window, Selection] = {}
        self._found_damage: dict[str, Damage] = {}
        self.version = -1
        """That of the catalog when it was last asked."""

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """The files that are left out because they are not what was written: set aside earlier or found by us."""
        aside = [Damage(path=file.path, reason=file.damaged or "", rows=file.rows) for file in self._catalog.damaged_files()]
        with self._lock:
            found = list(self._found_damage.values())
        return (*aside, *(damage for damage in found if damage.path not in {other.path for other in aside}))

    def follow(self, *, fresh: bool) -> bool:
        """Take the catalog's newest version over, and return whether it is another one than before; `fresh`: even when it is not."""
        with self._lock:
            version = self._catalog.version
            changed = version != self.version or fresh
            if changed:
                self._selections.clear()
                self.version = version
            return changed

    def of(self, window: Window) -> Selection:
        """Return the files that can have rows in a window, as of the version that was taken over last or a newer one."""
        with self._lock:
            selection = self._selections.get(window)
            if selection is None:
                if len(self._selections) >= _KEPT_AT_MOST:
                    self._selections.clear()
                selection = self._selections[window] = self._list(window)
            return selection

    def lost(self, selection: Selection) -> bool:
        """Whether a file of the selection is in the lake no more: compaction merged it, or an order or a rule removed it."""
        live = {file.path for file in self._catalog.live_files()}
        return any(file.path not in live for files in selection.files.values() for file in files)

    def look_for_damage(self, selection: Selection, *, thorough: bool) -> None:
        """Look for the file that a query failed on, and leave it out; quick first, as most often compaction only moved it."""
        live = {file.path for file in self._catalog.live_files()}  # others were removed by an order or a rule meanwhile
        listed = (file for files in selection.files.values() for file in files)
        found = damage_in(self._data, [file for file in listed if file.path in live], thorough=thorough)
        for damage in found:
            structlog.get_logger(__name__).warning("lake.file_left_out", path=damage.path, reason=damage.reason, rows=damage.rows)
        with self._lock:
            self._found_damage.update((damage.path, damage) for damage in found)

    def _list(self, window: Window) -> Selection:
        files: dict[str, tuple[FileRecord, ...]] = {}
        paths: dict[str, list[str]] = {}
        live = self._catalog.live_files(from_ns=window[0], to_ns=window[1])
        for table in TABLES:
            files[table] = tuple(file for file in live if file.table_name == table and file.path not in self._found_damage)
            paths[table] = [str(locate(self._data, file.path).absolute()) for file in files[table]]
        return Selection(files=files, paths=paths)
