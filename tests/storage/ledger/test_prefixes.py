"""The roots at many sizes, in one pass, are the roots of RFC 6962."""

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import merkle
from storage.ledger.prefixes import Frontier, Prefixes, Roots, folded
from storage.ledger.tiles import TILE_WIDTH

LEAVES = [merkle.leaf_hash(str(at).encode()) for at in range(3 * TILE_WIDTH + 5)]


def passed(sizes: set[int], leaves: list[bytes]) -> Prefixes:
    found = Prefixes(sizes)
    for start in range(0, len(leaves), TILE_WIDTH):
        found.add(start, leaves[start : start + TILE_WIDTH])
    return found


@given(st.sets(st.integers(0, len(LEAVES)), max_size=12), st.integers(0, len(LEAVES)))
@settings(max_examples=60, deadline=None)
def test_each_root_is_that_of_the_leaves_before_it(sizes: set[int], length: int) -> None:
    found = passed(sizes, LEAVES[:length])
    assert found.roots == {size: merkle.root(LEAVES[:size]) for size in {0, *sizes} if size <= length}
    assert found.tiles == [merkle.root(LEAVES[at : at + TILE_WIDTH]) for at in range(0, length - length % TILE_WIDTH, TILE_WIDTH)]


def test_a_frontier_is_as_long_as_the_size_has_ones() -> None:
    frontier = Frontier()
    assert folded(frontier.parts) == merkle.EMPTY_ROOT
    for size, leaf in enumerate(LEAVES, 1):
        frontier.append(leaf)
        assert len(frontier.parts) == size.bit_count()
    assert folded(frontier.parts) == merkle.root(LEAVES)


def test_two_copies_are_told_apart_from_where_they_differ() -> None:
    other = [*LEAVES[:300], merkle.leaf_hash(b"altered"), *LEAVES[301:]]
    roots = Roots({256, 300, 301, len(LEAVES)})
    for start in range(0, len(LEAVES), TILE_WIDTH):
        roots.add(start, LEAVES[start : start + TILE_WIDTH], other[start : start + TILE_WIDTH])
    for size in (256, 300, 301, len(LEAVES)):
        assert (roots.tiles[size], roots.entries[size]) == (merkle.root(LEAVES[:size]), merkle.root(other[:size]))
    assert roots.at(301) == roots.tiles[301]
    roots.uses_tiles = False
    assert (roots.at(301), roots.upper[1]) == (roots.entries[301], merkle.root(other[256:512]))
    assert roots.at(7) is None
