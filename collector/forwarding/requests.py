"""What is sent at once: the batches of a queued segment, read window by window, as requests of the size that a peer takes.

An OTLP request is one repeated field, so two of them back to back are a request that holds the records of both (protobuf, "Last One
Wins" does not apply to repeated fields): small batches are joined without being parsed, and only large ones are taken apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from google.protobuf.message import DecodeError

from collector.forwarding.filters import Filter
from collector.forwarding.splitting import each_record, halves, is_blank, resources, retain
from collector.signals import SIGNALS, Message, Signal
from storage.wal import BatchHeader, RecordType, Segment, read_segment
from storage.wal_format import WalRecord

WINDOW_BYTES: Final = 4 << 20
_BATCHES: Final = frozenset({RecordType.BATCH, RecordType.ERASED_BATCH})
TENANT: Final = "auditlake.tenant"
"""The first attribute in which a resource or a record tells its tenant."""


class Part(NamedTuple):
    """One batch of the WAL; some of its records are empty when they were `erased`, and not among `records`."""

    payload: bytes
    records: int
    tenant: str | None
    erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some batches in a row, by signal, and the offsets in the segment between which they stand."""

    begin: int
    end: int
    parts: Mapping[str, list[Part]]
    is_last: bool = False


class Outgoing(NamedTuple):
    """A request as it is sent; `records` are spans, log records or data points."""

    signal: Signal
    body: bytes
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large a request may be."""

    size_bytes: int
    records: int | None = None

    def hold(self, size_bytes: int, records: int) -> bool:
        """Whether a request of this size may be sent."""
        return size_bytes <= self.size_bytes and (self.records is None or records <= self.records)


def first_seq(segment: Segment, quarantine: Path) -> int | None:
    """The random number with which the records of a segment begin: no other segment has the same. None for one without records."""
    return next((record.seq for record in read_segment(segment, quarantine)), None)


def windows(segment: Segment, quarantine: Path, *, begin: int, end: int, signals: frozenset[str], own: bool) -> Iterator[Window]:
    """Yield what stands behind the offset `begin`; the first window ends at `end` if that is behind it, the others where they are full.

    Batches of other signals are left out, and auditlake's own unless `own`. Raises `StorageError` when the file cannot be read.
    """
    parts: dict[str, list[Part]] = {}
    size_bytes, position = 0, begin
    for record in read_segment(segment, quarantine):
        if record.end <= begin:
            continue
        position = record.end
        if record.type in _BATCHES and (batch := _part(segment, record, signals, own=own)) is not None:
            parts.setdefault(batch[0], []).append(batch[1])
            size_bytes += len(record.payload)
        if position >= end if end > begin else size_bytes >= WINDOW_BYTES:
            yield Window(begin=begin, end=position, parts=parts)
            parts, size_bytes, begin = {}, 0, position
    yield Window(begin=begin, end=position, parts=parts, is_last=True)


def records_behind(segment: Segment, quarantine: Path, *, begin: int, signals: frozenset[str], own: bool) -> int:
    """Return how many records of these signals stand behind an offset. Raises `StorageError` when the file cannot be read."""
    return sum(
        part.records
        for window in windows(segment, quarantine, begin=begin, end=begin, signals=signals, own=own)
        for parts in window.parts.values()
        for part in parts
    )


def _part(segment: Segment, record: WalRecord, signals: frozenset[str], *, own: bool) -> tuple[str, Part] | None:
    try:
        about = BatchHeader.from_bytes(record.header)
    except (ValueError, KeyError, TypeError):
        structlog.get_logger(__name__).error(
            "a batch is not forwarded: its header cannot be read", origin=segment.origin, entry=segment.entry
        )
        return None
    if about.signal not in signals or (about.own and not own):
        return None
    return about.signal, Part(record.payload, about.records, about.tenant, record.type == RecordType.ERASED_BATCH)


def outgoing(name: str, parts: list[Part], wanted: Filter | None, bounds: Bounds) -> Iterator[Outgoing]:
    """Yield the requests that bring these batches of one signal to the peer, in order: filtered, joined, divided."""
    signal = SIGNALS[name]
    joined: list[bytes] = []
    size_bytes = records = 0
    for part in parts:
        kept = part if wanted is None and part.tenant is None and not part.erased else _prepared(signal, part, wanted)
        if not kept.records:
            continue
        if joined and not bounds.hold(size_bytes + len(kept.payload), records + kept.records):
            yield from divided(Outgoing(signal, b"".join(joined), records), bounds)
            joined, size_bytes, records = [], 0, 0
        joined.append(kept.payload)
        size_bytes, records = size_bytes + len(kept.payload), records + kept.records
    if joined:
        yield from divided(Outgoing(signal, b"".join(joined), records), bounds)


def _prepared(signal: Signal, part: Part, wanted: Filter | None) -> Part:
    """Leave out what was erased or is not wanted, and say whose it is where credentials said so: the peer would believe the claim else."""
    try:
        message = signal.request.FromString(part.payload)
    except DecodeError:
        return part  # what we cannot read the peer may judge
    records = retain(signal, message, lambda *found: not is_blank(found[2])) if part.erased else part.records
    records = records if wanted is None else wanted.apply(signal, message, part.tenant)
    if part.tenant is not None:  # on records, too: what these claim goes before their resource
        for holder in chain(resources(signal, message), each_record(signal, message)):
            _name_tenant(holder, part.tenant)
    elif records == part.records and not part.erased:
        return part
    return Part(message.SerializeToString(), records, part.tenant)


def _name_tenant(holder: Message, tenant: str) -> None:
    """Set the attribute, in place of any that has its name."""
    for index in reversed([index for index, pair in enumerate(holder.attributes) if pair.key == TENANT]):
        del holder.attributes[index]
    holder.attributes.add(key=TENANT).value.string_value = tenant


def divided(request: Outgoing, bounds: Bounds) -> Iterator[Outgoing]:
    """Yield `request`, or parts of it in order that are as large as allowed; a single record is sent whatever its size."""
    if bounds.hold(len(request.body), request.records) or (pieces := halves(request.signal, request.body)) is None:
        yield request
        return
    for body, records in pieces:
        yield from divided(Outgoing(request.signal, body, records), bounds)
