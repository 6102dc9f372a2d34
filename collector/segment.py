"""What a WAL segment holds, decoded. Nothing that stands in a batch can stop the batches behind it: what cannot be decoded is kept in
`<data>/quarantine/`, with a JSON beside it that says why, and counted.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import structlog

from collector.copies import Delivered
from collector.decode import TABLE_OF_SIGNAL, Decoder, Undecodable
from collector.pricing import LISTED, Pricer
from collector.rows import RunIndex
from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.errors import StorageError
from storage.layout import origin_name
from storage.wal import BatchHeader, Counters, Damage, RecordType, Segment, WalRecord, read_segment

Salts = Callable[[int], bytes]


@dataclass(slots=True)
class Content:
    """What a segment held, in numbers; its rows are in `decoder`."""

    decoder: Decoder
    delivered: list[Delivered] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)  # of each table
    counters: Counters = field(default_factory=Counters)
    counted: bool = False  # a COUNTERS record was there
    promised: int = 0  # records of users that batches said they held
    stored: int = 0
    own: int = 0
    undecoded: int = 0
    damaged: int = 0  # WAL records that are no longer readable
    withheld: int = 0
    received_ns: list[int] = field(default_factory=list)
    policies: set[str] = field(default_factory=set)

    @property
    def runs(self) -> RunIndex:
        """The runs that it has rows of."""
        return self.decoder.runs

    def keep(self, header: BatchHeader, rows: int) -> None:
        """Count a batch that was decoded."""
        table = TABLE_OF_SIGNAL[header.signal]
        first = self.rows[table]
        self.rows[table] += rows
        self.received_ns.append(header.received_ns)
        self.policies.add(header.policy_hash)
        self.withheld += header.withheld
        if header.own:
            self.own += rows
            return
        self.stored += rows
        self.promised += rows
        if header.digest:
            self.delivered.append(Delivered(header.digest, header.received_ns, table, first, rows))

    def lose(self, records: int) -> None:
        """Count the records of a batch that was not."""
        self.undecoded += records
        self.promised += records


def decode_segment(
    data: Path, segment: Segment, salts: Salts, prices: Pricer = LISTED, fs: FileSystem = DISK
) -> tuple[Content, dict[str, pa.Table]]:
    """Return what a closed segment holds and its rows by table.

    Where decoding meets a defect of ours it begins again, and tries each batch by itself first. Raises `StorageError` when the
    segment cannot be read or the quarantine not written.
    """
    try:
        content = _read(data, segment, prices, fs, try_first=False)
        return content, content.decoder.tables(salts)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001  (one batch must not stop the lake)
        structlog.get_logger(__name__).error(
            "decoding failed, batches are tried one by one", origin=segment.origin, entry=segment.entry, error=type(error).__name__
        )
    content = _read(data, segment, prices, fs, try_first=True)
    return content, content.decoder.tables(salts)


def _read(data: Path, segment: Segment, prices: Pricer, fs: FileSystem, *, try_first: bool) -> Content:
    """Decode all batches; one that cannot be decoded goes to quarantine, and the next one follows."""
    content = Content(Decoder(segment.origin, segment.entry, prices))

    def damaged(damage: Damage) -> None:
        content.damaged += damage.lost

    for record in read_segment(segment, data / "quarantine", on_damage=damaged, fs=fs):
        if record.type == RecordType.COUNTERS:
            content.counters = _sum(content.counters, Counters.from_bytes(record.header))
            content.counted = True
        else:
            _decode_batch(data, segment, record, content, fs, try_first=try_first)
    return content


def _decode_batch(data: Path, segment: Segment, record: WalRecord, content: Content, fs: FileSystem, *, try_first: bool) -> None:
    try:
        header = BatchHeader.from_bytes(record.header)
    except (ValueError, KeyError, TypeError):
        _quarantine(data, segment, record, fs, reason="its header cannot be read", records=1)
        content.lose(1)
        return
    try:
        if try_first:
            _try(header, record.payload)
        rows = content.decoder.add(header, record.payload)
    except Undecodable as error:
        _quarantine(data, segment, record, fs, reason=str(error), records=header.records)
        content.lose(0 if header.own else header.records)
        return
    content.keep(header, rows)


def _try(header: BatchHeader, payload: bytes) -> None:
    """Raise `Undecodable` when anything at all goes wrong with this batch."""
    alone = Decoder("", 0)
    try:
        alone.add(header, payload)
        alone.tables(bytes)
    except Exception as error:
        raise Undecodable(str(error) if isinstance(error, Undecodable) else f"a defect of the decoder: {type(error).__name__}") from error


def _quarantine(data: Path, segment: Segment, record: WalRecord, fs: FileSystem, *, reason: str, records: int) -> None:
    """Keep the batch (it is redacted) with a JSON beside it that says why; sealing again writes the same names."""
    name = f"{origin_name(segment.origin)}-{segment.entry:012d}-batch-{record.end}"
    why = {
        "origin": segment.origin,
        "entry": segment.entry,
        "end_offset": record.end,
        "bytes": len(record.payload),
        "records": records,
        "reason": reason,
        "sha256": hashlib.sha256(record.payload).hexdigest(),
    }
    try:
        write_file(data / "quarantine" / f"{name}.bin", record.payload, fs)
        write_file(data / "quarantine" / f"{name}.json", orjson.dumps(why, option=orjson.OPT_INDENT_2), fs)
    except OSError as error:
        raise StorageError("quarantine a batch", data / "quarantine", hint=hint_for(error)) from error
    structlog.get_logger(__name__).error("batch quarantined", origin=segment.origin, entry=segment.entry, reason=reason, records=records)


def _sum(one: Counters, other: Counters) -> Counters:
    reasons = dict(one.reasons)
    for reason, count in other.reasons.items():
        reasons[reason] = reasons.get(reason, 0) + count
    return Counters(
        received=one.received + other.received,
        rejected=one.rejected + other.rejected,
        deduplicated=one.deduplicated + other.deduplicated,
        quarantined=one.quarantined + other.quarantined,
        reasons=reasons,
    )
