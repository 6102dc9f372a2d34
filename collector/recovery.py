"""What a starting collector knows of its past: the digests of recent batches, wherever they are by now."""

from collections.abc import Iterator
from pathlib import Path

from collector.resends import WINDOW_NS
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.wal import BatchHeader, RecordType, closed_segments, read_segment


def recent_digests(data: Path, origin: str, catalog: Catalog, now_ns: int) -> Iterator[tuple[bytes, int]]:
    """Yield (digest, receive time) of the batches of `origin` in the resend window before `now_ns`.

    Segments are read before the catalog: one that is sealed in between is then found in the catalog. What the catalog knows has
    no exact time any more and counts as received now, so the window is at most twice as long across a restart.
    """
    since_ns = now_ns - WINDOW_NS
    for segment in closed_segments(data):
        if segment.origin != origin:
            continue
        try:
            for record in read_segment(segment, data / "quarantine"):
                if record.type == RecordType.BATCH:
                    header = BatchHeader.from_bytes(record.header)
                    if header.received_ns >= since_ns and header.digest:
                        yield bytes.fromhex(header.digest), header.received_ns
        except (StorageError, ValueError, KeyError, TypeError):
            continue  # sealed meanwhile, or damaged: the sealer reports it
    for digest in catalog.recent_batches(origin, since_ns):
        if digest:
            yield bytes.fromhex(digest), now_ns
