"""Everything that was received is sealed before rows are removed, or nothing is."""

from contextlib import closing
from pathlib import Path

import pytest

from collector.pricing import LISTED
from collector.settling import settle
from storage.catalog import Catalog
from storage.errors import StorageError
from storage.ledger.log_writer import Ledger
from storage.wal import WalWriter
from tests.collector.forwarding.backends import spans
from tests.lake_checks import check_lake


def sealed_entries(data: Path) -> list[tuple[str, int]]:
    """The entries of the catalog."""
    with closing(Catalog.open(data, read_only=True)) as catalog:
        return [(entry.origin, entry.entry) for entry in catalog.entries()]


def test_what_is_closed_and_what_dead_writers_left_is_sealed(tmp_path: Path) -> None:
    """Of every origin."""
    with closing(WalWriter(tmp_path, "n/collector")) as writer:
        writer.append([spans("a")])
    dead = WalWriter(tmp_path, "old/collector")
    dead.append([spans("b")])
    dead._release()  # as a process that is killed
    settle(tmp_path, prices=LISTED, ledger=Ledger())
    assert sealed_entries(tmp_path) == [("n/collector", 0), ("old/collector", 0)]
    check_lake(tmp_path)


def test_a_collector_that_does_not_close_its_segment_is_an_error(tmp_path: Path) -> None:
    """What it holds may be about whom is to be erased."""
    with closing(WalWriter(tmp_path, "n/collector")) as writer:
        writer.append([spans("a")])
        with pytest.raises(StorageError, match="is its collector stuck"):
            settle(tmp_path, prices=LISTED, ledger=Ledger(), wait_seconds=0)
    settle(tmp_path, prices=LISTED, ledger=Ledger())
    assert sealed_entries(tmp_path) == [("n/collector", 0)]
