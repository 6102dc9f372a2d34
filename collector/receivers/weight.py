"""What a request costs in memory once it is parsed, which its size alone does not tell: an empty span is two bytes on the wire and
two hundred in memory, so a kilobyte of gzip could become gigabytes.

Counted before anything is parsed, at little cost: a body of ordinary records is looked through once, piece by piece, and weighs its size.
"""

import re
from typing import Final

from collector.admission import JSON_MEMORY_PER_BYTE, MEMORY_PER_BYTE, Reservation
from collector.errors import TooLarge
from collector.receivers.encoding import Encoding
from collector.receivers.events import BodyEncoding
from collector.turns import TURNS

MESSAGE_BYTES: Final = 200
"""Of memory that an empty message costs."""
OBJECT_BYTES: Final = 300
"""The same of a JSON object, which is a dictionary first."""
MOST_BYTES: Final = 1 << 30
"""Of memory that a body may take beyond what one of its size usually does, whatever memory_limiter says."""

_PIECE_BYTES: Final = 1 << 18
_ORDINARY: Final = 16
"""Bytes of a body in which there may be one tiny message: `MEMORY_PER_BYTE` has those."""
_TINY: Final = 8
_SMALL_NUMBERS: Final = bytes(range(_TINY))
_TAGS: Final = b"".join(re.escape(bytes([number << 3 | 2])) for number in range(16))
_SIZED: Final = b"|".join(re.escape(bytes([size])) + b".{%d}" % size for size in range(_TINY))
_TINY_MESSAGE: Final = re.compile(b"[%b](?:%b)" % (_TAGS, _SIZED), re.DOTALL)
"""A field whose wire type has a size, and whose content is shorter than eight bytes."""
_OBJECT: Final = re.compile(rb"\{\s*[\"}]")


async def reserve_parsed(reservation: Reservation, encoding: BodyEncoding, body: bytes) -> None:
    """Have room for what is made of `body`; raises Overloaded when that is not free now, TooLarge when it never is."""
    extra = 0
    for start in range(0, len(body), _PIECE_BYTES):
        if start:
            await TURNS.give_way()
        piece = body[start : start + _PIECE_BYTES]
        extra += _of_messages(piece) if encoding is Encoding.PROTOBUF else _of_objects(piece)
        if extra > MOST_BYTES:
            raise TooLarge("the body consists of too many tiny messages to be parsed: send fewer at a time")
        if extra:
            per_byte = MEMORY_PER_BYTE if encoding is Encoding.PROTOBUF else JSON_MEMORY_PER_BYTE
            reservation.hold(len(body) * per_byte + extra, "what the many tiny messages of this body take in memory")


def _of_messages(piece: bytes) -> int:
    """Return what tiny messages cost. Each has its size in one byte: where such bytes are rare, so are they."""
    sizes = len(piece) - len(piece.translate(None, _SMALL_NUMBERS))
    if sizes * _ORDINARY <= len(piece):
        return 0
    return max(0, _TINY_MESSAGE.subn(b"", piece)[1] - len(piece) // _ORDINARY) * MESSAGE_BYTES


def _of_objects(piece: bytes) -> int:
    """Return what objects cost beyond what JSON usually does; braces within texts are none."""
    usual = len(piece) * JSON_MEMORY_PER_BYTE
    if piece.count(b"{") * OBJECT_BYTES <= usual:
        return 0
    return max(0, _OBJECT.subn(b"", piece)[1] * OBJECT_BYTES - usual)
