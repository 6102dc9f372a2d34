"""Merkle trees as RFC 6962 section 2.1 defines them, with SHA-256: roots, inclusion and consistency proofs, and their verification.

Pure: everything works on leaf hashes. A proof is the roots of some ranges of leaves; which ranges is told apart from how their roots
are computed, so that a tree in memory and a tree in tiles share it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from storage.ledger.errors import ProofError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

Range = tuple[int, int]
"""Leaves from the first number up to, not including, the second."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf: SHA-256(00 ‖ data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes in their order; `EMPTY_ROOT` for none."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def _level_above(level: list[bytes]) -> list[bytes]:
    """Hash neighbours together; a last one without a neighbour rises as it is, which is RFC 6962's split at the largest power of two."""
    pairs = iter(level)
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove leaf `index` in a tree of `size` leaves, from its sibling upward (PATH of RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ProofError("prove inclusion", f"leaf {index} of {size}", hint="the index must be below the size of the tree")
    first, end, ranges = 0, size, []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Return the ranges whose roots prove that `new` leaves begin with the `old` ones (PROOF of RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ProofError("prove consistency", f"sizes {old} and {new}", hint="the older tree cannot be larger than the newer one")
    if old in {0, new}:
        return []
    first, end, whole, ranges = 0, new, True, []
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first, whole = middle, False
    if not whole:  # the verifier knows the root of the whole older tree
        ranges.append((first, end))
    return ranges[::-1]


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of a leaf, from its sibling upward. Raises `ProofError` for an index outside of the tree."""
    return [root(leaves[first:end]) for first, end in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that the tree of these leaves continues the tree of its first `old` ones. Raises `ProofError`."""
    return [root(leaves[first:end]) for first, end in consistency_ranges(old, len(leaves))]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof leads to (RFC 9162, 2.1.3.2): the caller compares it with the root that it trusts.

    Raises `ProofError` for an index outside of the tree and for a proof that is too short, too long or holds something else than hashes.
    """
    ranges = inclusion_ranges(index, size)
    _check_hashes("check an inclusion proof", f"leaf {index} of {size}", [leaf, *proof], len(ranges) + 1)
    result = leaf
    for (first, _), sibling in zip(ranges, proof, strict=True):
        result = node_hash(result, sibling) if first > index else node_hash(sibling, result)
    return result


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise `ProofError` unless the proof shows that the tree of `new` leaves continues the tree of `old` (RFC 9162, 2.1.4.2).

    Every tree continues the empty one: from size 0 the proof is empty and the old root is `EMPTY_ROOT`.
    """
    attempted, subject = "check a consistency proof", f"sizes {old} and {new}"
    ranges = consistency_ranges(old, new)
    if old in {0, new}:
        continued = old_root == EMPTY_ROOT and len(new_root) == HASH_BYTES if old < new else old_root == new_root
        if proof or not continued or (new == 0 and new_root != EMPTY_ROOT):
            raise ProofError(attempted, subject, hint="the roots differ, or the proof is not empty: the log was rewritten")
        return
    _check_hashes(attempted, subject, [old_root, new_root, *proof], len(ranges) + 2)
    steps = list(zip(ranges, proof, strict=True))
    before = after = old_root
    if ranges[0][1] == old:  # the older tree is not one whole subtree of the newer: the proof begins with its last one
        before = after = proof[0]
        steps = steps[1:]
    for (_, end), sibling in steps:
        if end <= old:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
        else:
            after = node_hash(after, sibling)
    if before != old_root or after != new_root:
        raise ProofError(attempted, subject, hint="the proof does not lead from the older root to the newer one: the log was rewritten")


def _check_hashes(attempted: str, subject: str, hashes: Sequence[bytes], count: int) -> None:
    if len(hashes) != count or any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError(attempted, subject, hint="the proof has the wrong number of hashes, or hashes of a wrong length")
