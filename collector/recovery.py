"""What a starting collector does about the past: it closes what dead writers left open, and learns the digests of recent requests."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from collector.resends import WINDOW_SECONDS
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import Delivery
from storage.wal import BatchHeader, RecordType, Segment, closed_segments, read_segment

_SLACK_SECONDS: Final = 60
"""How much earlier a request may be received than it is written."""


class Known(NamedTuple):
    """A request that was stored."""

    digest: bytes
    age_seconds: float
    stored: Delivery


def recent_digests(data: Path, catalog: Catalog, now_ns: int) -> Iterator[Known]:
    """Yield the requests that any collector of this lake took in the last resend window it was up.

    The window ends with the newest request, not at `now_ns`: a sender that waited while the collector was down resends what came before,
    and a clock that was set forward meanwhile makes nothing older. A receive time in the future counts as now. Segments are read before the
    catalog: one that is sealed in between is then found in the catalog. What another collector that is alive has in its open segment is
    not known: the sealer marks a copy of that (`collector.copies`).
    """
    found = [pair for pair in _of_segments(data) if pair[0]]
    end_ns = min(now_ns, max(catalog.newest_batch_ns(), *(stored.received_ns for _, stored in found), 0))
    since_ns = end_ns - WINDOW_SECONDS * 1_000_000_000
    for digest, stored in (*found, *catalog.recent_batches(None, since_ns).items()):
        if stored.received_ns >= since_ns:
            yield Known(bytes.fromhex(digest), max(0.0, (end_ns - stored.received_ns) / 1e9), stored)


def _of_segments(data: Path) -> Iterator[tuple[str, Delivery]]:
    for segment in _written_lately(data):
        try:
            for record in read_segment(segment, data / "quarantine"):
                if record.type == RecordType.BATCH:
                    header = BatchHeader.from_bytes(record.header)
                    if not header.own:
                        yield header.digest, Delivery(segment.origin, segment.entry, header.received_ns)
        except (StorageError, ValueError, KeyError, TypeError):
            continue  # sealed meanwhile, or damaged: the sealer reports it


def _written_lately(data: Path) -> list[Segment]:
    """The closed segments in which the last window can lie: a start must not read what hours without a sealer left."""
    written: dict[Segment, float] = {}
    for segment in closed_segments(data):
        with suppress(FileNotFoundError):  # sealed meanwhile
            written[segment] = segment.path.stat().st_mtime
    newest = max(written.values(), default=0.0)
    return [segment for segment, at in written.items() if at >= newest - WINDOW_SECONDS - _SLACK_SECONDS]
