"""The bytes of a WAL segment: how a record is framed, checked and found again behind damage.

A segment is a 16-byte header and records back to back, all little-endian:

    segment header   magic "\\xa1SEG" | first seq u64 | crc32c u32
    record           magic "\\xa1WAL" | version u8 | type u8 | len u32 | seq u64 | crc32c u32 | payload
    payload          header length u32 | header | body

The crc covers everything of a record but its magic and itself. `seq` starts at a random number in each segment and grows by
one a record: whoever could place bytes that look like a record inside a body cannot know it, so reading that goes on
behind a damaged record never takes such bytes for one of ours.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, BinaryIO, Final, Self

import google_crc32c
import orjson

SEGMENT_MAGIC: Final = b"\xa1SEG"
RECORD_MAGIC: Final = b"\xa1WAL"
VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 1 << 30

_SEGMENT: Final = struct.Struct("<4sQI")
_FRAME: Final = struct.Struct("<4sBBIQI")
_CHECKED: Final = struct.Struct("<BBIQI")  # version, type, length, seq, header length: what the crc covers before the header
_LENGTH: Final = struct.Struct("<I")
SEGMENT_HEADER_BYTES: Final = _SEGMENT.size
MIN_RECORD_BYTES: Final = _FRAME.size + _LENGTH.size
_SEARCH_BYTES: Final = 1 << 20


Receipt = tuple[str, str | None, str | None, int]
"""What redaction did in a record: entity, rule, key (cleaned, or a field's name; with the path inside JSON), number of findings."""


class RecordType(IntEnum):
    """What a record holds. A type this version does not know is an error for readers, never skipped."""

    BATCH = 1
    COUNTERS = 2
    ERASED_BATCH = 3  # in queues of exporters alone: a batch some of whose records were erased and are empty, each in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHeader:
    """What the acknowledgement path knew about one redacted OTLP message."""

    signal: str  # traces | logs | metrics
    tenant: str | None
    received_ns: int
    policy_hash: str
    records: int
    withheld: int = 0
    redactions: Mapping[int, Sequence[Receipt]] = field(default_factory=dict)  # record index in document order → what was found
    digest: str = ""  # hex; identical resends have the same
    own: bool = False  # written by auditlake about itself: not counted as received

    def to_bytes(self) -> bytes:
        """JSON, keys as the fields."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return orjson.dumps(fields, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`. Raises ValueError (KeyError, TypeError) when `data` is something else."""
        fields = orjson.loads(data)
        fields["redactions"] = {int(index): _receipts(found) for index, found in fields["redactions"].items()}
        return cls(**fields)


def _receipts(found: Any) -> list[Receipt]:
    """Receipts as they are written, or the counts by entity that version 0.1 wrote in their place: rule and key are unknown then."""
    if isinstance(found, dict):
        return [(entity, None, None, count) for entity, count in found.items()]
    return [(entity, rule, key, count) for entity, rule, key, count in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Records counted since the previous COUNTERS record of the same origin; a batch counts with each record in it."""

    received: int = 0
    rejected: int = 0
    deduplicated: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)  # why rejected or quarantined → records

    def to_bytes(self) -> bytes:
        """JSON, keys as the fields."""
        return orjson.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return cls(**orjson.loads(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class WalRecord:
    """One intact record. `seq` grows by one within a segment, from a random start."""

    seq: int
    type: int  # a RecordType; a plain number while it is not known whether we understand it
    header: bytes
    payload: bytes
    version: int = VERSION
    end: int = 0  # offset behind the record in its segment


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRange:
    """Bytes of a segment that are no record. `lost` counts the records that stood there, as far as the sequence tells."""

    offset: int
    size_bytes: int
    reason: str
    lost: int
    tail: bool  # nothing intact stands behind it
    torn: bool  # a tail that an interrupted write leaves: an incomplete record, or zeros


def segment_header(first_seq: int) -> bytes:
    """The 16 bytes that a segment starts with."""
    start = SEGMENT_MAGIC + struct.pack("<Q", first_seq)
    return start + _LENGTH.pack(google_crc32c.value(start))


def record_bytes(header: bytes, body: bytes) -> int:
    """The size of a record's payload, at most `MAX_PAYLOAD_BYTES`."""
    return _LENGTH.size + len(header) + len(body)


def encode(seq: int, records: Sequence[tuple[RecordType, bytes, bytes]]) -> bytes:
    """Frame (type, header, body) records with consecutive numbers from `seq`. Raises ValueError for a payload over 1 GiB."""
    parts: list[bytes] = []
    for number, (kind, header, body) in enumerate(records, seq):
        size = record_bytes(header, body)
        if size > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a WAL record of {size} bytes is larger than {MAX_PAYLOAD_BYTES}")
        crc = _checksum(VERSION, kind, size, number, header, body)
        parts += (_FRAME.pack(RECORD_MAGIC, VERSION, kind, size, number, crc), _LENGTH.pack(len(header)), header, body)
    return b"".join(parts)


def scan(file: BinaryIO, size_bytes: int) -> Iterator[WalRecord | DamagedRange]:
    """Read a segment from its start: intact records in order, and every range between them that is none.

    Holds one record in memory at a time. Raises OSError when the file cannot be read.
    """
    expected = _first_seq(file)
    position = SEGMENT_HEADER_BYTES
    while position < size_bytes:
        found = _record_at(file, position, size_bytes, expected, expected)
        if isinstance(found, str):
            behind = _resynchronise(file, position, size_bytes, expected)
            yield _damage(file, position, size_bytes, found, behind, expected)
            if behind is None:
                return
            found = behind
        expected = found.seq + 1
        position = found.end
        yield found


def _first_seq(file: BinaryIO) -> int | None:
    file.seek(0)
    header = file.read(SEGMENT_HEADER_BYTES)
    if len(header) < SEGMENT_HEADER_BYTES:
        return None
    magic, first_seq, crc = _SEGMENT.unpack(header)
    return int(first_seq) if magic == SEGMENT_MAGIC and crc == google_crc32c.value(header[:-4]) else None


def _record_at(  # noqa: PLR0911  (one line for each way to be no record)
    file: BinaryIO, position: int, size_bytes: int, low: int | None, high: int | None
) -> WalRecord | str:
    """The record at `position` if it is intact and numbered from `low` to `high`, else why not."""
    file.seek(position)
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return "incomplete"
    magic, version, kind, size, seq, crc = _FRAME.unpack(frame)
    if magic != RECORD_MAGIC:
        return "no record starts here"
    if low is not None and high is not None and not low <= seq <= high:
        return "out of sequence"
    if not _LENGTH.size <= size <= MAX_PAYLOAD_BYTES:
        return "impossible length"
    payload = file.read(size) if position + _FRAME.size + size <= size_bytes else b""
    if len(payload) < size:
        return "incomplete"
    header_end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    header, body = payload[_LENGTH.size : header_end], payload[header_end:]
    if header_end > size or crc != _checksum(version, kind, size, seq, header, body):
        return "checksum"
    return WalRecord(seq=seq, type=kind, header=header, payload=body, version=version, end=position + _FRAME.size + size)


def _checksum(version: int, kind: int, size: int, seq: int, header: bytes, body: bytes) -> int:
    crc = google_crc32c.extend(0, _CHECKED.pack(version, kind, size, seq, len(header)))
    return int(google_crc32c.extend(google_crc32c.extend(crc, header), body))


def _resynchronise(file: BinaryIO, position: int, size_bytes: int, expected: int | None) -> WalRecord | None:
    """The next intact record behind `position`, found by its magic."""
    start = position + 1
    while start < size_bytes:
        file.seek(start)
        window = file.read(_SEARCH_BYTES + len(RECORD_MAGIC) - 1)
        at = window.find(RECORD_MAGIC)
        while at >= 0:
            high = None if expected is None else expected + (start + at - position) // MIN_RECORD_BYTES + 1
            found = _record_at(file, start + at, size_bytes, expected, high)
            if not isinstance(found, str):
                return found
            at = window.find(RECORD_MAGIC, at + 1)
        start += _SEARCH_BYTES
    return None


def _damage(file: BinaryIO, position: int, size_bytes: int, reason: str, behind: WalRecord | None, expected: int | None) -> DamagedRange:
    if behind is None:
        torn = reason == "incomplete" or _only_zeros(file, position)
        return DamagedRange(offset=position, size_bytes=size_bytes - position, reason=reason, lost=1, tail=True, torn=torn)
    start = behind.end - MIN_RECORD_BYTES - len(behind.header) - len(behind.payload)
    lost = 1 if expected is None else max(1, behind.seq - expected)
    return DamagedRange(offset=position, size_bytes=start - position, reason=reason, lost=lost, tail=False, torn=False)


def _only_zeros(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    while chunk := file.read(_SEARCH_BYTES):
        if chunk.count(0) != len(chunk):
            return False
    return True
