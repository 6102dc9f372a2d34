"""Whoever starts on a lake closes the segments of writers that are dead, and of no other."""

from pathlib import Path

from storage.orphans import close_orphans, unclosed_origins
from storage.wal import RecordType, WalWriter, closed_segments

RECORD = (RecordType.BATCH, b"{}", b"body")


def die(data: Path, origin: str, *records: tuple[RecordType, bytes, bytes]) -> None:
    """A writer that appends and is killed."""
    dead = WalWriter(data, origin)
    dead.append(records)
    dead._release()


def test_segments_of_dead_writers_are_closed(tmp_path: Path) -> None:
    """Of all origins; each goes on numbering behind what it had, and a writer without records is left alone."""
    for origin in ("old/collector", "old/alerts"):
        die(tmp_path, origin, RECORD)
    die(tmp_path, "idle/collector")
    alive = WalWriter(tmp_path, "alive/collector")
    alive.append([RECORD])
    assert unclosed_origins(tmp_path) == ["alive/collector", "old/alerts", "old/collector"]
    assert close_orphans(tmp_path, lambda origin: 7 if origin == "old/alerts" else 0) == ["old/alerts", "old/collector"]
    assert sorted(segment.origin for segment in closed_segments(tmp_path)) == ["old/alerts", "old/collector"]
    assert close_orphans(tmp_path, lambda _: 0) == []
    for origin, entry in (("old/collector", 1), ("old/alerts", 7)):
        writer = WalWriter(tmp_path, origin)
        assert writer.entry == entry
        writer.close()
    alive.append([RECORD])
    alive.close()
    assert unclosed_origins(tmp_path) == []
