"""What is sealed is in its origin's log, signed; and the log never stops sealing."""

import base64
from contextlib import closing
from pathlib import Path

import pytest

from collector.sealer import LOCK, Sealing, seal_all, seal_lock, seal_pending
from storage.catalog import Catalog
from storage.durable import FileLock
from storage.errors import LakeLocked
from storage.ledger import entries
from storage.ledger.errors import LedgerError
from storage.ledger.fingerprint import MOST
from storage.ledger.keys import KeySource
from storage.ledger.leaves import file_leaves, table_root
from storage.ledger.log import Log, signed_at
from storage.ledger.log_writer import Ledger
from tests.collector.otlp_samples import NOW_NS, logs
from tests.collector.test_sealer import ORIGIN, batch, spans, write
from tests.lake_checks import check_lake

SECOND_NS = 1_000_000_000
NOBODYS = Ledger(keys=KeySource(env="LEDGER_KEY"))
"""A ledger whose key is not there."""


@pytest.fixture
def catalog(tmp_path):
    with closing(Catalog.open(tmp_path)) as opened:
        yield opened


def seal(data: Path, catalog: Catalog, *names: str, ledger: Ledger | None = None) -> int:
    write(data, batch(spans(*names), len(names), digest=names[0]))
    return seal_pending(data, catalog, clock=lambda: NOW_NS, ledger=ledger)


def test_the_log_says_which_rows_were_sealed_from_what_and_by_which_policy(tmp_path, catalog):
    write(tmp_path, batch(spans("a", "b"), 2), batch(logs({"body": "hello"}), 1, signal="logs", digest="e"))
    seal_pending(tmp_path, catalog, clock=lambda: NOW_NS)
    log = Log(tmp_path, ORIGIN)
    assert log.size == 1
    said = log.entry(0)
    assert (said["kind"], said["entry"], said["sealed_ns"], said["policy_hash"]) == ("segment", 0, NOW_NS, "policy")
    assert (said["counters"]["received"], said["counters"]["stored"], said["counters"]["rejected"]) == (3, 3, 0)
    for table, rows in (("spans", 2), ("events", 1)):
        (file,) = catalog.live_files(table)
        described = said["tables"][table]
        assert described["rows"] == rows
        assert described["files"] == [{"path": file.path, "sha256": file.sha256}]
        assert (described["min_ns"], described["max_ns"]) == (file.min_ns, file.max_ns)
        assert described["root"] == table_root(file_leaves([tmp_path / file.path], table)).hex()
    check_lake(tmp_path)


def test_files_are_named_in_the_log_as_long_as_there_is_room(tmp_path, catalog, monkeypatch):
    """A segment of very many dates is sealed all the same: its entry fits into a bundle without the names of its files."""
    room = entries.NAMED_BYTES
    for taken in (0, room):
        monkeypatch.setattr(entries, "NAMED_BYTES", taken)
        seal(tmp_path, catalog, f"{taken}")
    none, all_of_them = Log(tmp_path, ORIGIN).entries()
    assert "files" not in none["tables"]["spans"]
    assert len(all_of_them["tables"]["spans"]["files"]) == 1
    fingerprints = 3 * len(base64.b64encode(bytes(MOST)))  # of spans, events and metrics
    assert room + fingerprints + 2048 < entries.MAX_BYTES
    check_lake(tmp_path)


def test_each_seal_has_its_checkpoint(tmp_path, catalog):
    for size, name in enumerate("abc", 1):
        seal(tmp_path, catalog, name)
        assert Log(tmp_path, ORIGIN).size == size


def test_a_log_that_cannot_be_signed_stops_no_sealing_and_is_written_later(tmp_path, catalog):
    """The catalog keeps what the log lacks: no segment waits, and nothing has to be sealed again."""
    for name in ("a", "b"):
        with pytest.raises(LedgerError, match="LEDGER_KEY"):
            seal(tmp_path, catalog, name, ledger=NOBODYS)
    assert sum(file.rows for file in catalog.live_files("spans")) == 2
    assert not list((tmp_path / "wal").rglob("*.wal"))
    assert Log(tmp_path, ORIGIN).size == 0
    assert seal_pending(tmp_path, catalog) == 0
    assert Log(tmp_path, ORIGIN).size == 2
    check_lake(tmp_path)


def test_one_origin_without_its_log_leaves_the_others_theirs(tmp_path, catalog):
    write(tmp_path, batch(spans("a"), 1))
    write(tmp_path, batch(spans("b"), 1, digest="b"), origin="node/zeta")
    (tmp_path / "ledger" / ORIGIN).mkdir(parents=True)
    (tmp_path / "ledger" / ORIGIN / "checkpoint").write_text("damaged")
    with pytest.raises(LedgerError):
        seal_pending(tmp_path, catalog)
    assert Log(tmp_path, "node/zeta").size == 1
    assert len(catalog.entries()) == 2


def test_silence_gets_a_checkpoint_of_its_own(tmp_path, catalog):
    seal(tmp_path, catalog, "a")
    sealing = Sealing(data=tmp_path, catalog=catalog, log=Ledger().writer(tmp_path, catalog))
    assert seal_all(sealing, lambda: NOW_NS + 59 * SECOND_NS, idle_seconds=60.0) == 0
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS
    assert seal_all(sealing, lambda: NOW_NS + 60 * SECOND_NS, idle_seconds=60.0) == 0
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS + 60
    assert Log(tmp_path, ORIGIN).size == 1


def test_without_the_ledger_nothing_is_logged_and_with_it_again_what_comes_then(tmp_path, catalog):
    seal(tmp_path, catalog, "a", ledger=Ledger(enabled=False))
    assert not (tmp_path / "ledger").exists()
    assert catalog.log_sizes() == {}
    seal(tmp_path, catalog, "b")
    assert [each["entry"] for each in Log(tmp_path, ORIGIN).entries()] == [1]
    assert (catalog.log_index(ORIGIN, 0), catalog.log_index(ORIGIN, 1)) == (None, 0)


def test_who_needs_the_seal_lock_waits_for_a_sealer_at_work(tmp_path):
    with FileLock(tmp_path / LOCK, "seal the WAL"), pytest.raises(LakeLocked):
        seal_lock(tmp_path, "rotate the key", wait_seconds=0.1)
    with seal_lock(tmp_path, "rotate the key"), pytest.raises(LakeLocked):
        seal_lock(tmp_path, "seal the WAL")
