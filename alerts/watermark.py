"""The ingest watermark: up to which instant everything that was acknowledged can be read.

A record is durable in the WAL before it is acknowledged, and readable once its segment is sealed. So the watermark is the receive
time of the first record that still waits in a segment of a collector; with none, everything is readable. Rules are evaluated behind
it, or a slow sealer would look like silent agents.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from storage.wal_format import SEGMENT_HEADER_BYTES, BatchHeader, RecordType, WalRecord, scan

MAX_LAG: Final = timedelta(minutes=5)
"""A sealer that is further behind is stuck: rules go on with what there is, rather than not at all."""

OWN_ORIGINS: Final = ("alerts", "access")
"""Last part of the origins that hold events about ourselves; no rule waits for them."""


def evaluation_time(at: datetime, offset: timedelta, watermark: datetime | None) -> datetime:
    """Return `$eval_ts` for an evaluation at `at`: behind it by `offset`, and behind the watermark, but by no more than MAX_LAG."""
    wanted = at - offset
    if watermark is None or watermark >= wanted:
        return wanted
    return max(watermark, wanted - MAX_LAG)


def ingest_watermark(data: Path) -> datetime | None:
    """Return the receive time of the oldest record that is acknowledged but not sealed, or None when all are sealed."""
    received = [first for segment in _oldest_segments(data / "wal") if (first := _first_received_ns(segment)) is not None]
    return datetime.fromtimestamp(min(received) / 1e9, tz=UTC) if received else None


def _oldest_segments(root: Path) -> list[Path]:
    """Return each collector's oldest segment with a record in it."""
    oldest: dict[Path, Path] = {}
    for pattern in ("*.wal", "*.open"):
        for path in root.rglob(pattern):
            if path.parent.name in OWN_ORIGINS or _size(path) <= SEGMENT_HEADER_BYTES:
                continue
            if path.parent not in oldest or path.name < oldest[path.parent].name:
                oldest[path.parent] = path
    return list(oldest.values())


def _first_received_ns(segment: Path) -> int | None:
    try:
        with segment.open("rb") as file:
            for piece in scan(file, _size(segment)):
                if isinstance(piece, WalRecord) and piece.type == RecordType.BATCH:
                    return BatchHeader.from_bytes(piece.header).received_ns
    except (OSError, ValueError, KeyError, TypeError):  # sealed and deleted meanwhile, or being written: the next look tells
        return None
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
