"""A log as files (c2sp.org/tlog-tiles): tiles of 256 hashes, bundles of 256 entries, and what can be read off them.

Anything that serves files over HTTP serves the log. Tiles above level 0 repeat what the level below implies: whoever verifies compares
roots with a signed checkpoint, so a damaged tile is never believed.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from storage.durable import hint_for
from storage.ledger import merkle
from storage.ledger.errors import LedgerError
from storage.ledger.merkle import EMPTY_ROOT, HASH_BYTES

TILE_WIDTH: Final = 256
MAX_ENTRY_BYTES: Final = 65_535
CACHED_TILES: Final = 64

_WIDTH: Final = re.compile("[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]")


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return where a tile stands below the log's prefix: `tile/<L>/<N>`, with `.p/<W>` when it is partial."""
    if not 0 <= level <= 63:
        raise LedgerError("name a tile", f"level {level}", hint="levels are 0 to 63")
    return f"tile/{level}/{_number(index)}{_partial(width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return where a bundle of entries stands below the log's prefix: `tile/entries/<N>`, with `.p/<W>` when it is partial."""
    return f"tile/entries/{_number(index)}{_partial(width)}"


def _number(index: int) -> str:
    if index < 0:
        raise LedgerError("name a tile", f"index {index}", hint="tiles are numbered from 0")
    index, last = divmod(index, 1000)
    groups = [f"{last:03}"]
    while index:
        index, group = divmod(index, 1000)
        groups.append(f"x{group:03}")
    return "/".join(reversed(groups))


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise LedgerError("name a tile", f"width {width}", hint="tiles have 1 to 256 hashes")
    return "" if width == TILE_WIDTH else f".p/{width}"


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries as a bundle: for each its length, 16 bits big-endian, and its bytes. Raises `LedgerError` for too long a one."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise LedgerError("write a log entry", f"{len(entry)} bytes", hint=f"an entry has at most {MAX_ENTRY_BYTES} bytes")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(data: bytes, subject: Path | str = "a bundle") -> list[bytes]:
    """Return the entries of a bundle. Raises `LedgerError`, about `subject`, when the last one is cut off."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise LedgerError("read a bundle of log entries", subject, hint=f"entry {len(entries)} in it is cut off: restore the file")
        entries.append(data[start:at])
    return entries


class TileReader:
    """Reads one log's folder. Not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._full: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Return `count` hashes of a level, from number `first`. Raises `LedgerError` naming the tile that is missing or damaged."""
        found: list[bytes] = []
        for index, start, stop in _pieces(first, count):
            tile = self._tile(level, index, stop)
            found += [tile[at : at + HASH_BYTES] for at in range(start * HASH_BYTES, stop * HASH_BYTES, HASH_BYTES)]
        return found

    def entries(self, first: int, count: int) -> list[bytes]:
        """Return `count` entries from number `first`. Raises `LedgerError` naming the bundle that is missing or damaged."""
        found: list[bytes] = []
        for index, start, stop in _pieces(first, count):
            path = self._file(bundle_path(index), stop)
            entries = decode_bundle(_read(path), path)
            width = TILE_WIDTH if path.parent.suffix != ".p" else int(path.name)
            if len(entries) != width:
                raise LedgerError("read a bundle of log entries", path, hint=f"it holds {len(entries)} entries, not {width}: restore it")
            found += entries[start:stop]
        return found

    def root(self, size: int) -> bytes:
        """Return the root of the first `size` entries, as the tiles have it. Raises `LedgerError`."""
        return EMPTY_ROOT if size == 0 else self._range_root(0, size)

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the proof of entry `index` in the log of `size` entries, as `merkle.inclusion_proof`. Raises `LedgerError`."""
        return [self._range_root(first, end) for first, end in merkle.inclusion_ranges(index, size)]

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of `new` entries continues the one of `old`, as `merkle.consistency_proof`."""
        return [self._range_root(first, end) for first, end in merkle.consistency_ranges(old, new)]

    def _range_root(self, first: int, end: int) -> bytes:
        """Return the root of a range that begins where a subtree of its size may begin: from the highest tiles that hold it."""
        count = end - first
        below = 1 << (count.bit_length() - 1)
        if below != count:
            return merkle.node_hash(self._range_root(first, first + below), self._range_root(first + below, end))
        level = (count.bit_length() - 1) // 8
        step = TILE_WIDTH**level
        return merkle.root(self.hashes(level, first // step, count // step))

    def _tile(self, level: int, index: int, width: int) -> bytes:
        """Return a tile with at least `width` hashes; full ones are kept for the next call."""
        if (level, index) in self._full:
            self._full.move_to_end((level, index))
            return self._full[level, index]
        path = self._file(tile_path(level, index), width)
        data = _read(path)
        full = path.parent.suffix != ".p"
        if len(data) != (TILE_WIDTH if full else int(path.name)) * HASH_BYTES:
            raise LedgerError("read a tile", path, hint=f"it has {len(data)} bytes, not those of its width: restore it")
        if full:
            self._full[level, index] = data
            if len(self._full) > CACHED_TILES:
                self._full.popitem(last=False)
        return data

    def _file(self, full: str, width: int) -> Path:
        """Return the full file when it is there, else the partial one of this width, else the narrowest of the wider ones."""
        path = self.folder / full
        if width == TILE_WIDTH or path.is_file():
            return path
        partial = path.with_name(path.name + ".p")
        if (partial / str(width)).is_file() or not partial.is_dir():
            return partial / str(width)
        return partial / str(min((wider for wider in widths(partial) if wider > width), default=width))


def widths(partial: Path) -> list[int]:
    """Return the widths of the partial tiles or bundles in a folder."""
    return [int(path.name) for path in partial.iterdir() if _WIDTH.fullmatch(path.name)] if partial.is_dir() else []


def _pieces(first: int, count: int) -> Iterable[tuple[int, int, int]]:
    """Cut numbers `first` and following into tiles: index of the tile, first and end within it."""
    at, end = first, first + count
    while at < end:
        index, start = divmod(at, TILE_WIDTH)
        stop = min(TILE_WIDTH, end - index * TILE_WIDTH)
        yield index, start, stop
        at = index * TILE_WIDTH + stop


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        hint = "it is missing: restore the ledger's folder from a copy" if missing else hint_for(error)
        raise LedgerError("read the ledger", path, hint=hint) from error
