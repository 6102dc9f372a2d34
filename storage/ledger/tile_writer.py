"""Appends to a log as files (c2sp.org/tlog-tiles): tiles and bundles of entries are durable before a checkpoint may cover them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from storage.durable import DISK, FileSystem, hint_for, publish_all, stage_file
from storage.ledger import merkle
from storage.ledger.errors import LedgerError
from storage.ledger.merkle import EMPTY_ROOT
from storage.ledger.tiles import TILE_WIDTH, TileReader, bundle_path, encode_bundle, tile_path, widths

KEPT_BUNDLE_BYTES: Final = 64 << 20
"""Partial bundles that stay until the full one is there: each repeats the entries of all before it, 255 of them are 128 times the full
one. So much keeps all of them for entries of 2 kB on average, and the newest two dozen for those of 11 kB, of segments with 8,000 rows."""
_WRITE: Final = "write the ledger"


@dataclass(frozen=True, slots=True)
class Piece:
    """A tile or bundle as it will stand: its path when it is full, how much of it there is, and its bytes."""

    full: str
    width: int
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The right edge of a log: all that its next entry needs to know of those before."""

    size: int
    last: bytes | None  # the hash of the last entry
    levels: tuple[tuple[bytes, ...], ...]  # of each level the hashes of its partial tile
    entries: tuple[bytes, ...]  # of the partial bundle

    def root(self) -> bytes:
        """Return the root over all entries."""
        below: tuple[bytes, ...] = ()
        for hashes in self.levels:
            if hashes or below:
                below = (merkle.root([*hashes, *below]),)
        return below[0] if below else EMPTY_ROOT

    def grown(self, entries: Sequence[bytes]) -> tuple["Edge", list[Piece]]:
        """Return the edge behind further entries, at least one, and what has to be written for them."""
        hashes = [merkle.leaf_hash(entry) for entry in entries]
        last, first = hashes[-1], self.size // TILE_WIDTH
        *full, partial = _chunks([*self.entries, *entries])
        bundles = enumerate([*full, partial] if partial else full, first)
        pieces = [Piece(bundle_path(number), len(bundle), encode_bundle(bundle)) for number, bundle in bundles]
        levels: list[tuple[bytes, ...]] = []
        while hashes or len(levels) < len(self.levels):
            level = len(levels)
            *full, rest = _chunks([*(self.levels[level] if level < len(self.levels) else ()), *hashes])
            tiles = enumerate([*full, rest] if rest else full, first) if hashes else ()
            pieces += [Piece(tile_path(level, number), len(tile), b"".join(tile)) for number, tile in tiles]
            levels.append(tuple(rest))
            hashes, first = [merkle.root(tile) for tile in full], first // TILE_WIDTH
        edge = Edge(size=self.size + len(entries), last=last, levels=tuple(levels), entries=tuple(partial))
        return edge, pieces


def _chunks(values: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Cut into as many full tiles as there are, and what is left, which may be nothing."""
    return [values[at : at + TILE_WIDTH] for at in range(0, len(values) + 1, TILE_WIDTH)]


class TileWriter:
    """Appends to one log's folder. One writer at a time: the caller holds the origin's lock, and compares the root before the first append.

    What was written is not read again: a log that is changed meanwhile gets nothing signed that was not appended here.
    """

    def __init__(self, folder: Path, fs: FileSystem = DISK) -> None:
        self._folder = folder
        self._fs = fs
        self._edge: Edge | None = None

    def edge(self, size: int) -> Edge:
        """Return the right edge of the log at `size` entries. Raises `LedgerError` when its tiles and bundles are not there or differ."""
        if self._edge is None or self._edge.size != size:
            self._edge = read_edge(TileReader(self._folder), size)
        return self._edge

    def append(self, size: int, entries: Sequence[bytes]) -> bytes:
        """Add entries to a log of `size` entries and return the new root; every file is durable then.

        The same call may be repeated after a crash, also with more entries behind: what is there already is compared and kept. A tile or
        bundle is only ever completed, never changed: `LedgerError` names one that holds something else. No checkpoint is written here.
        """
        before, self._edge = self.edge(size), None
        edge, pieces = before.grown(entries)
        try:
            self._write(pieces)
            self._drop_superseded(before)
        except OSError as error:
            raise LedgerError(_WRITE, self._folder, hint=hint_for(error)) from error
        self._edge = edge
        return edge.root()

    def _write(self, pieces: Iterable[Piece]) -> None:
        """Make tiles and bundles durable, those that are there already, too; full ones replace their partial ones."""
        targets = {self._target(piece): piece for piece in pieces}
        missing = [target for target, piece in targets.items() if not _is_there(target, piece)]
        publish_all([(stage_file(target, targets[target].content, self._fs), target) for target in missing], self._fs)
        for folder in {target.parent for target in targets} - {target.parent for target in missing}:
            self._fs.sync_directory(folder)  # who gave them their names may have died before
        for target, piece in targets.items():
            partial = target.with_name(target.name + ".p")
            if piece.width == TILE_WIDTH and partial.is_dir():
                for name in partial.iterdir():
                    self._fs.unlink(name)
                partial.rmdir()

    def _target(self, piece: Piece) -> Path:
        path = self._folder / piece.full
        return path if piece.width == TILE_WIDTH else path.with_name(path.name + ".p") / str(piece.width)

    def _drop_superseded(self, before: Edge) -> None:
        """Delete the narrowest partial bundles where all of them are too much; that of the checkpoint in force stays."""
        sizes = list(accumulate(len(entry) + 2 for entry in before.entries))
        if sum(sizes) <= KEPT_BUNDLE_BYTES:
            return
        full = self._folder / bundle_path(before.size // TILE_WIDTH)
        partial, kept = full.with_name(full.name + ".p"), 0
        for width in sorted((width for width in widths(partial) if width < len(sizes)), reverse=True):
            kept += sizes[width - 1]
            if kept > KEPT_BUNDLE_BYTES:
                self._fs.unlink(partial / str(width))


def read_edge(reader: TileReader, size: int) -> Edge:
    """Read the right edge of a log at `size` entries. Raises `LedgerError`, also when entries are not those of their tile."""
    begun = size - size % TILE_WIDTH
    entries = tuple(reader.entries(begun, size - begun))
    levels, level, count = [], 0, size
    while count:
        below = count % TILE_WIDTH
        levels.append(tuple(reader.hashes(level, count - below, below)))
        level, count = level + 1, count // TILE_WIDTH
    if tuple(map(merkle.leaf_hash, entries)) != (levels[0] if levels else ()):
        path = reader.folder / bundle_path(begun // TILE_WIDTH)
        raise LedgerError(_WRITE, path, hint="its entries are not those of its tile: `auditlake verify` says more")
    last = reader.hashes(0, size - 1, 1)[0] if size else None
    return Edge(size=size, last=last, levels=tuple(levels), entries=entries)


def _is_there(target: Path, piece: Piece) -> bool:
    """Whether a tile or bundle was written already. Raises `LedgerError` when something else was."""
    if not target.is_file():
        return False
    if target.read_bytes() != piece.content:
        raise LedgerError(_WRITE, target, hint="it holds something else than this log: restore the ledger's folder")
    return True
