"""Reading the write-ahead log: its closed segments, in order, and what became of each record in them."""

import hashlib
import heapq
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import structlog

from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.errors import StorageError
from storage.wal_format import VERSION, DamagedRange, RecordType, WalRecord, scan

_SEGMENT_NAME: Final = re.compile(r"(\d{12,})(?:-(\d+))?\.(open|wal)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of an origin's WAL; it becomes entry number `entry` of that origin."""

    origin: str
    entry: int
    path: Path
    records: int | None = None  # in it when it was closed; None for one that version 0.1 closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A range of a closed segment that holds no intact record, and where its bytes are kept."""

    segment: Segment
    offset: int
    size_bytes: int
    reason: str
    lost: int  # WAL records, as far as the sequence numbers tell
    kept: Path


def closed_segments(data: Path) -> list[Segment]:
    """The closed segments of all origins, each origin in the order of its entries, across origins oldest first."""
    root = data / "wal"
    origins: dict[str, list[tuple[int, Segment]]] = {}
    for path in root.rglob("*.wal"):
        if (name := _SEGMENT_NAME.fullmatch(path.name)) is None:
            continue
        segment = _named(path.parent.relative_to(root).as_posix(), path, name)
        try:
            origins.setdefault(segment.origin, []).append((path.stat().st_mtime_ns, segment))
        except FileNotFoundError:  # sealed and deleted meanwhile
            continue
    ordered = [sorted(found, key=lambda pair: pair[1].entry) for found in origins.values()]
    return [segment for _, segment in heapq.merge(*ordered, key=lambda pair: (pair[0], pair[1].origin))]


def read_segment(
    segment: Segment, quarantine: Path, *, on_damage: Callable[[Damage], None] | None = None, fs: FileSystem = DISK
) -> Iterator[WalRecord]:
    """Yield the intact records of a closed segment in order, one in memory at a time.

    Everything else in it is copied to `quarantine` (the same names when read again), logged, and reported to `on_damage` before the
    record behind it is yielded. Raises `StorageError` when the file cannot be read or a newer version wrote it.
    """
    try:
        with segment.path.open("rb") as file:
            for piece in _whole(segment, scan(file, segment.path.stat().st_size)):
                if isinstance(piece, WalRecord):
                    yield _understood(segment, piece)
                else:
                    damage = quarantine_range(segment, piece, quarantine, fs)
                    if on_damage is not None:
                        on_damage(damage)
    except OSError as error:
        raise StorageError("read the WAL", segment.path, hint=hint_for(error)) from error


def _whole(segment: Segment, pieces: Iterator[WalRecord | DamagedRange]) -> Iterator[WalRecord | DamagedRange]:
    """The pieces of a closed segment, and behind them the records that were cut off, if any."""
    seen = 0
    for piece in pieces:
        seen += 1 if isinstance(piece, WalRecord) else piece.lost
        yield piece
    if segment.records is not None and seen < segment.records:
        size_bytes = segment.path.stat().st_size
        missing = segment.records - seen
        yield DamagedRange(offset=size_bytes, size_bytes=0, reason="records are missing", lost=missing, tail=True, torn=False)


def closed_segment(origin: str, entry: int, opened: Path, records: int) -> Segment:
    """The segment that a file becomes by being closed."""
    return Segment(origin=origin, entry=entry, path=opened.with_name(f"{entry:012d}-{records}.wal"), records=records)


def _named(origin: str, path: Path, name: re.Match[str]) -> Segment:
    return Segment(origin=origin, entry=int(name[1]), path=path, records=None if name[2] is None else int(name[2]))


def _understood(segment: Segment, record: WalRecord) -> WalRecord:
    if record.version != VERSION or record.type not in set(RecordType):
        raise StorageError("read the WAL", segment.path, hint="a newer version of auditlake wrote it: run that version")
    return record


def segments_in(directory: Path, origin: str) -> list[Segment]:
    """The segments of one origin, open ones too, by number."""
    names = ((path, _SEGMENT_NAME.fullmatch(path.name)) for path in directory.iterdir())
    found = [_named(origin, path, name) for path, name in names if name is not None]
    return sorted(found, key=lambda segment: (segment.entry, segment.path.suffix))


def quarantine_range(segment: Segment, damaged: DamagedRange, quarantine: Path, fs: FileSystem) -> Damage:
    """Keep the damaged bytes (they were redacted before they were written) with a JSON beside them that says why."""
    kept = quarantine / f"{segment.origin.replace('/', '~')}-{segment.entry:012d}-{damaged.offset}.bin"
    with segment.path.open("rb") as file:
        file.seek(damaged.offset)
        content = file.read(damaged.size_bytes)
    why = {
        "origin": segment.origin,
        "entry": segment.entry,
        "offset": damaged.offset,
        "bytes": damaged.size_bytes,
        "reason": damaged.reason,
        "lost_records": damaged.lost,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_file(kept, content, fs)
    write_file(kept.with_suffix(".json"), orjson.dumps(why, option=orjson.OPT_INDENT_2), fs)
    structlog.get_logger(__name__).error(
        "WAL bytes quarantined", origin=segment.origin, entry=segment.entry, reason=damaged.reason, bytes=damaged.size_bytes
    )
    return Damage(
        segment=segment, offset=damaged.offset, size_bytes=damaged.size_bytes, reason=damaged.reason, lost=damaged.lost, kept=kept
    )
