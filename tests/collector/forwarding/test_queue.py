"""The queue: hard links beside the WAL, in order, for those who are configured."""

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest

from collector.forwarding.queue import LOCK, Backlog, activate, exporter_folder, keep, left_over
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.durable import FileLock
from storage.errors import StorageError
from storage.wal import WalWriter, closed_segments, read_segment
from tests.collector.forwarding.backends import sealed, spans
from tests.lake_checks import check_lake

TRACES = ["traces"]


def origins(backlog: Backlog) -> list[tuple[str, int]]:
    found = []
    while (first := backlog.first) is not None:
        found.append((first.origin, first.entry))
        backlog.remove(first)
    return found


def test_what_the_sealer_deletes_is_kept_for_every_exporter_as_one_copy(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": TRACES, "otlp_http/b": TRACES})
    with closing(WalWriter(tmp_path, "n/collector")) as writer:
        writer.append([spans("a")])
    with closing(Catalog.open(tmp_path)) as catalog:
        assert seal_pending(tmp_path, catalog) == 1
    one, other = (exporter_folder(tmp_path, exporter) / "queue/n~collector-000000000000.wal" for exporter in ("otlp", "otlp_http/b"))
    assert one.samefile(other)
    assert closed_segments(tmp_path) == []
    check_lake(tmp_path)


def test_without_exporters_nothing_is_kept(tmp_path: Path) -> None:
    sealed(tmp_path, spans("a"))
    assert not (tmp_path / "forward").exists()


def test_a_file_system_without_hard_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    activate(tmp_path, {"otlp": TRACES})
    sealed(tmp_path, spans("a"))
    backlog = Backlog(exporter_folder(tmp_path, "otlp"))
    backlog.refresh()
    assert backlog.first is not None
    assert len(list(read_segment(backlog.segment(backlog.first), tmp_path / "quarantine"))) == 1
    assert [path.name for path in (exporter_folder(tmp_path, "otlp") / "queue").iterdir()] == ["n~collector-000000000000.wal"]


def test_a_segment_that_cannot_be_kept_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(tmp_path, {"otlp": TRACES})
    (exporter_folder(tmp_path, "otlp") / "queue").rmdir()
    (exporter_folder(tmp_path, "otlp") / "queue").write_text("in the way")
    with closing(WalWriter(tmp_path, "n/collector")) as writer:
        writer.append([spans("a")])
    with closing(Catalog.open(tmp_path)) as catalog, pytest.raises(StorageError, match="keep a segment for forwarding"):
        seal_pending(tmp_path, catalog)
    assert len(closed_segments(tmp_path)) == 1
    (exporter_folder(tmp_path, "otlp") / "queue").unlink()
    with closing(Catalog.open(tmp_path)) as catalog:
        assert seal_pending(tmp_path, catalog) == 1
        assert [entry.stored for entry in catalog.entries()] == [1]
    assert len(list((exporter_folder(tmp_path, "otlp") / "queue").iterdir())) == 1
    check_lake(tmp_path)


def test_a_queue_that_cannot_be_written_does_not_keep_records_out_of_the_lake(tmp_path: Path) -> None:
    """They wait in the WAL for their queue, and arrive there in order."""
    activate(tmp_path, {"otlp": TRACES})
    queue = exporter_folder(tmp_path, "otlp") / "queue"
    queue.rmdir()
    queue.write_text("in the way")
    for entry in range(3):
        with closing(WalWriter(tmp_path, "n/collector", first_entry=entry)) as writer:
            writer.append([spans(f"span {entry}")])
    with closing(Catalog.open(tmp_path)) as catalog:
        for _ in range(2):
            with pytest.raises(StorageError, match="keep a segment for forwarding"):
                seal_pending(tmp_path, catalog)
        assert [entry.stored for entry in catalog.entries()] == [1, 1, 1]
        assert len(closed_segments(tmp_path)) == 3
        queue.unlink()
        seal_pending(tmp_path, catalog)
    assert sorted(path.name[-5:-4] for path in queue.iterdir()) == ["0", "1", "2"]
    assert closed_segments(tmp_path) == []
    check_lake(tmp_path)


def test_keeping_twice_changes_nothing(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": TRACES})
    with closing(WalWriter(tmp_path, "n/collector")) as writer:
        writer.append([spans("a")])
    (segment,) = closed_segments(tmp_path)
    keep(tmp_path, segment)
    keep(tmp_path, segment)
    backlog = Backlog(exporter_folder(tmp_path, "otlp"))
    backlog.refresh()
    assert (len(backlog), backlog.size_bytes) == (1, segment.path.stat().st_size)


def test_an_entry_never_goes_before_an_earlier_one_whatever_the_clock_did(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": TRACES})
    folder = exporter_folder(tmp_path, "otlp") / "queue"
    for origin, entry, written in (("a", 0, 50), ("a", 1, 10), ("b", 0, 30), ("b", 1, 70)):
        sealed(tmp_path, spans("x"), origin=f"{origin}/collector", entry=entry)
        path = folder / f"{origin}~collector-{entry:012d}.wal"
        os.utime(path, ns=(written, written))
    backlog = Backlog(exporter_folder(tmp_path, "otlp"))
    backlog.refresh()
    assert origins(backlog) == [("b/collector", 0), ("a/collector", 0), ("a/collector", 1), ("b/collector", 1)]


def test_new_segments_join_the_queue_behind_the_old_ones(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": TRACES})
    backlog = Backlog(exporter_folder(tmp_path, "otlp"))
    sealed(tmp_path, spans("a"), entry=9)
    backlog.refresh()
    sealed(tmp_path, spans("b"), entry=10)
    backlog.refresh()
    backlog.refresh()
    assert origins(backlog) == [("n/collector", 9), ("n/collector", 10)]


def test_an_exporter_that_is_configured_no_more_keeps_its_queue_and_gets_nothing_new(tmp_path: Path) -> None:
    assert activate(tmp_path, {"otlp": TRACES, "otlp_http/b": TRACES}) == []
    sealed(tmp_path, spans("a"))
    assert activate(tmp_path, {"otlp": TRACES}) == ["otlp_http/b"] == left_over(tmp_path)
    sealed(tmp_path, spans("b"), entry=1)
    assert len(list((exporter_folder(tmp_path, "otlp_http/b") / "queue").iterdir())) == 1
    assert len(list((exporter_folder(tmp_path, "otlp") / "queue").iterdir())) == 2


def test_an_exporter_of_another_live_collector_is_left_to_it(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": TRACES})
    with FileLock(exporter_folder(tmp_path, "otlp") / LOCK, "forward"):
        activate(tmp_path, {})
    sealed(tmp_path, spans("a"))
    assert len(list((exporter_folder(tmp_path, "otlp") / "queue").iterdir())) == 1
