"""Which row was altered: one byte of each leaf hash, kept in the log beside the root (docs/ledger.md, "Fingerprints").

A root over rows says that one of them is not what was committed, not which. The first bytes of the leaf hashes do: a row that is as
it was always agrees, an altered one disagrees in 255 of 256 cases. Of a table with more than `MOST` rows in one entry, neighbours
share a byte, the XOR of theirs.
"""

import base64
import binascii
from collections.abc import Sequence
from functools import reduce
from operator import xor
from typing import Final

MOST: Final = 8_192
"""Bytes of one table of one entry: three tables stay within the 65,535 bytes of a log entry."""


def fingerprints(leaves: Sequence[bytes]) -> str:
    """Return the fingerprints of leaf hashes in their order, as base64; "" for none."""
    return base64.b64encode(_bytes(leaves, _share(len(leaves)))).decode()


def altered(leaves: Sequence[bytes], known: str) -> list[range]:
    """Return the places of leaf hashes whose fingerprint is not the `known` one: neighbours that share a byte together.

    Empty when `known` cannot tell: it is not of as many rows, or no fingerprint, or the altered rows agree by chance.
    """
    try:
        expected = base64.b64decode(known, validate=True)
    except (binascii.Error, ValueError):
        return []
    share = _share(len(leaves))
    found = _bytes(leaves, share)
    if len(found) != len(expected):
        return []
    places = [place for place, (ours, theirs) in enumerate(zip(found, expected, strict=True)) if ours != theirs]
    return [range(place * share, min((place + 1) * share, len(leaves))) for place in places]


def _share(rows: int) -> int:
    """How many neighbours share a byte."""
    return max(1, -(-rows // MOST))


def _bytes(leaves: Sequence[bytes], share: int) -> bytes:
    first = [leaf[0] for leaf in leaves]
    return bytes(reduce(xor, first[start : start + share]) for start in range(0, len(first), share))
