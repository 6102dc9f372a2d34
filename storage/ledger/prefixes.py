"""The roots of a log at many sizes, in one pass: a second location holds a checkpoint for each minute of years."""

import copy
from collections.abc import Iterable, Sequence

from storage.ledger import merkle
from storage.ledger.tiles import TILE_WIDTH


class Frontier:
    """The roots of the full subtrees that leaves fill, the largest first: the root of all so far takes a hash for each of them."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash, or the root of the next full subtree when all are of one height."""
        size, self._size = self._size, self._size + 1
        while size & 1:
            leaf = merkle.node_hash(self.parts.pop(), leaf)
            size >>= 1
        self.parts.append(leaf)


def folded(parts: Sequence[bytes]) -> bytes:
    """Return the root over the roots of full subtrees, the largest first; `EMPTY_ROOT` for none."""
    if not parts:
        return merkle.EMPTY_ROOT
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = merkle.node_hash(part, root)
    return root


class Prefixes:
    """The roots over the first leaves of one copy of a log, at some sizes, and the roots of its full tiles."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self.roots: dict[int, bytes] = {0: merkle.EMPTY_ROOT}
        self.tiles: list[bytes] = []
        self._sizes = frozenset(sizes)
        self._frontier = Frontier()  # of full tiles

    def add(self, start: int, leaves: Sequence[bytes]) -> None:
        """Take the leaf hashes from index `start` on: a full tile, or the last one."""
        wanted = self._sizes.intersection(range(start + 1, start + len(leaves) + 1))
        tile = Frontier()
        for size, leaf in enumerate(leaves if wanted - {start + TILE_WIDTH} else (), start + 1):
            tile.append(leaf)
            if size in wanted:
                self.roots[size] = folded([*self._frontier.parts, *tile.parts])
        if len(leaves) == TILE_WIDTH:
            self.tiles.append(merkle.root(leaves))
            self._frontier.append(self.tiles[-1])
            if start + TILE_WIDTH in wanted:
                self.roots[start + TILE_WIDTH] = folded(self._frontier.parts)


class Roots:
    """The roots at some sizes, by what the tiles say and by what the entries say, which is computed once as long as they agree."""

    def __init__(self, sizes: Iterable[int]) -> None:
        self.differing: list[int] = []  # indexes of entries that are not what their tile says
        self.copied: list[int] = []  # indexes of entries that the catalog has otherwise
        self.uses_tiles = True
        self._tiles = self._entries = Prefixes(sizes)

    def add(self, start: int, by_tile: Sequence[bytes], by_entry: Sequence[bytes]) -> None:
        """Take the hashes of the entries from index `start` on."""
        if self._entries is self._tiles and by_entry != by_tile:
            self._entries = copy.deepcopy(self._tiles)
        if self._entries is not self._tiles:
            self._entries.add(start, by_entry)
        self._tiles.add(start, by_tile)

    @property
    def tiles(self) -> dict[int, bytes]:
        """The roots by size, by what the tiles say."""
        return self._tiles.roots

    @property
    def entries(self) -> dict[int, bytes]:
        """The roots by size, by what the entries say."""
        return self._entries.roots

    @property
    def upper(self) -> list[bytes]:
        """The roots of full bundles, by the copy that the checkpoint confirms."""
        return (self._tiles if self.uses_tiles else self._entries).tiles

    def at(self, size: int) -> bytes | None:
        """The root of the first `size` entries, by the copy that the checkpoint confirms."""
        return (self.tiles if self.uses_tiles else self.entries).get(size)
