"""Whether a Bloom filter of a Parquet file has every value of its column: queries skip row groups whose filter lacks what they look for.

Parquet format, BloomFilter.md: split blocks of 32 bytes, XXH64 of the plain encoded value, no compression.
"""

import re
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

HEADER_BYTES: Final = 20
"""A header is no longer."""
_HEADER: Final = re.compile(rb"\x15([\x80-\xff]{0,4}[\x00-\x7f])(?:\x1c\x1c\x00\x00){3}\x00", re.DOTALL)
_WORDS: Final = {"INT32": pa.int32(), "INT64": pa.int64(), "FLOAT": pa.float32(), "DOUBLE": pa.float64()}
_SALTS: Final = np.array([0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31], dtype=np.uint32)
_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(each) for each in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
)
_Words = Any  # an array of uint64


def extent(header: bytes) -> tuple[int, int] | None:
    """Return how long the header of a filter is, and the filter behind it; None when it is none that this format has."""
    match = _HEADER.match(header)
    if match is None:
        return None
    size = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(match[1])) >> 1
    return (match.end(), size) if size and size % 32 == 0 else None


def lacks(filter_bytes: bytes, column: pa.Array, physical: str) -> bool:
    """Whether a filter lacks a value of a column, which has no nested type, of this physical type."""
    if pa.types.is_dictionary(column.type):
        if not _lacks(filter_bytes, column.dictionary.drop_null(), physical):
            return False
        column = column.dictionary_decode()  # or a value lacks that the dictionary has and no row
    return _lacks(filter_bytes, pc.unique(column).drop_null(), physical)


def _lacks(filter_bytes: bytes, values: pa.Array, physical: str) -> bool:
    blocks = np.frombuffer(filter_bytes, dtype="<u4").reshape(-1, 8)
    hashes = _hashes(values, physical)
    block = ((hashes >> np.uint64(32)) * np.uint64(len(blocks))) >> np.uint64(32)
    bits = (hashes.astype(np.uint32)[:, None] * _SALTS) >> np.uint32(27)
    return bool((blocks[block.astype(np.int64)] >> bits & np.uint32(1) == 0).any())


def _hashes(values: pa.Array, physical: str) -> _Words:
    if physical in _WORDS:
        words = values.cast(_WORDS[physical]) if not pa.types.is_unsigned_integer(values.type) else values
        numbers = words.to_numpy(zero_copy_only=False)
        return xxh64(np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), -1))
    values = values.cast(pa.large_binary())
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    found = []
    for length in np.unique(lengths).tolist():
        alike = b"".join(values.filter(pa.array(lengths == length)).to_pylist())
        rows = int((lengths == length).sum())
        found.append(xxh64(np.frombuffer(alike, dtype=np.uint8).reshape(rows, length)))
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def xxh64(texts: "np.ndarray") -> _Words:
    """Return the XXH64 of each row of bytes, seed 0 (xxHash specification)."""
    rows, length = texts.shape
    with np.errstate(over="ignore"):
        hashes = _stripes(texts) if length >= 32 else np.full(rows, _P5)
        hashes = hashes + np.uint64(length)
        at = length - length % 32
        while at + 8 <= length:
            hashes = _left(hashes ^ _round(np.uint64(0), _word(texts, at, "<u8")), 27) * _P1 + _P4
            at += 8
        if at + 4 <= length:
            hashes = _left(hashes ^ _word(texts, at, "<u4") * _P1, 23) * _P2 + _P3
            at += 4
        for place in range(at, length):
            hashes = _left(hashes ^ texts[:, place].astype(np.uint64) * _P5, 11) * _P1
        hashes = (hashes ^ hashes >> np.uint64(33)) * _P2
        hashes = (hashes ^ hashes >> np.uint64(29)) * _P3
        return hashes ^ hashes >> np.uint64(32)


def _stripes(texts: "np.ndarray") -> _Words:
    """The four lanes over the full stripes of 32 bytes, as one."""
    lanes = [np.full(len(texts), start) for start in (_P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1)]
    for at in range(0, texts.shape[1] - 31, 32):
        lanes = [_round(lane, _word(texts, at + 8 * place, "<u8")) for place, lane in enumerate(lanes)]
    hashes = sum((_left(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)), np.uint64(0))
    for lane in lanes:
        hashes = (hashes ^ _round(np.uint64(0), lane)) * _P1 + _P4
    return hashes


def _word(texts: "np.ndarray", at: int, kind: str) -> _Words:
    width = int(kind[2:])
    return np.ascontiguousarray(texts[:, at : at + width]).view(kind)[:, 0].astype(np.uint64)


def _round(lane: _Words, word: _Words) -> _Words:
    return _left(lane + word * _P2, 31) * _P1


def _left(words: _Words, bits: int) -> _Words:
    return words << np.uint64(bits) | words >> np.uint64(64 - bits)
