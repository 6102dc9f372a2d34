"""What a starting collector knows of the requests before it."""

import os
from contextlib import closing
from pathlib import Path

from collector.recovery import recent_digests
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.wal import BatchHeader, RecordType, WalWriter, closed_segments
from tests.collector.otlp_samples import NOW_NS, traces

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS


def write(data: Path, digest: str, received_ns: int, *, written_ns: int | None = None, own: bool = False) -> None:
    """Close a segment with one request, last written when it says."""
    with closing(WalWriter(data, "n/collector")) as writer:
        header = BatchHeader(signal="traces", tenant=None, received_ns=received_ns, policy_hash="p", records=1, digest=digest, own=own)
        writer.append([(RecordType.BATCH, header.to_bytes(), traces({"name": "one"}).SerializeToString())])
        segment = writer.rotate()
    assert segment is not None
    os.utime(segment.path, ns=(received_ns, written_ns or received_ns))


def known(data: Path, now_ns: int) -> dict[str, float]:
    with closing(Catalog.open(data)) as catalog:
        return {digest.hex(): age for digest, age, _ in recent_digests(data, catalog, now_ns)}


def test_the_window_is_the_last_one_in_which_requests_came(tmp_path: Path) -> None:
    """In the WAL and in the catalog; with ages from its end, however long the collector was down. Own records have no resends."""
    write(tmp_path, "aa", NOW_NS)
    with closing(Catalog.open(tmp_path)) as catalog:
        seal_pending(tmp_path, catalog)
    write(tmp_path, "bb", NOW_NS + 100 * SECOND_NS)
    write(tmp_path, "cc", NOW_NS + 100 * SECOND_NS, own=True)
    write(tmp_path, "", NOW_NS + 100 * SECOND_NS)
    assert known(tmp_path, NOW_NS + 100 * SECOND_NS) == known(tmp_path, NOW_NS + HOUR_NS) == {"aa": 100.0, "bb": 0.0}
    write(tmp_path, "dd", NOW_NS + 650 * SECOND_NS)
    assert known(tmp_path, NOW_NS + HOUR_NS) == {"bb": 550.0, "dd": 0.0}


def test_what_hours_without_a_sealer_left_is_not_read(tmp_path: Path) -> None:
    """Segments that were last written before the window: here one that says something else of itself."""
    write(tmp_path, "aa", NOW_NS, written_ns=NOW_NS - HOUR_NS)
    write(tmp_path, "bb", NOW_NS)
    assert len(closed_segments(tmp_path)) == 2
    assert known(tmp_path, NOW_NS).keys() == {"bb"}


def test_a_lake_without_requests_knows_none(tmp_path: Path) -> None:
    assert known(tmp_path, NOW_NS) == {}
