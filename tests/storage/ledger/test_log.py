"""The logs are written from the catalog: what a checkpoint covers is durable, a crash anywhere is only a delay, keys rotate in the open."""

import errno
import os
import shutil
from contextlib import closing, suppress

import pytest

from storage.catalog import Catalog
from storage.durable import Disk
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.keys import Keys, keys_file, known_keys
from storage.ledger.log import Log, origins, signed_at, status
from storage.ledger.log_writer import KEPT, Ledger, LogWriter
from storage.ledger.merkle import leaf_hash
from storage.ledger.note import VerifierKey
from storage.ledger.tiles import decode_bundle, encode_bundle
from tests.failing_disk import Crash, FailingDisk, PowerLoss
from tests.storage.ledger.log_records import CALLS, NOW_NS, ORIGIN, SECOND_NS, advance, head_of, records


@pytest.fixture
def catalog(tmp_path):
    with closing(Catalog.open(tmp_path)) as opened_catalog:
        yield opened_catalog


def test_the_log_has_what_the_catalog_has_and_a_checkpoint_over_it(tmp_path, catalog):
    catalog.append_log(records(0, 300))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 300
    assert [each["entry"] for each in Log(tmp_path, ORIGIN).entries()] == list(range(300))
    assert Log(tmp_path, ORIGIN).entry(299) == {"entry": 299, "kind": "segment"}
    assert catalog.log_index(ORIGIN, 299) == 299
    assert catalog.log_index(ORIGIN, 300) is None


def test_the_catalog_forgets_what_the_log_has_had_for_long(tmp_path, catalog):
    """The newest stay, for a log whose newest files are lost; older ones are in the log alone, and lost with it."""
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    for entry in range(3 * KEPT):
        catalog.append_log(records(entry, 1))
        writer.advance(ORIGIN, now_ns=NOW_NS)
    kept = [bool(record.body) for record in catalog.log_records(ORIGIN, 0, 3 * KEPT)]
    assert kept == [False] * (2 * KEPT) + [True] * KEPT
    assert [each["entry"] for each in Log(tmp_path, ORIGIN).entries()] == list(range(3 * KEPT))
    catalog.append_log(records(3 * KEPT, 2 * KEPT))
    writer.advance(ORIGIN, now_ns=NOW_NS)
    assert sum(bool(record.body) for record in catalog.log_records(ORIGIN, 0, 5 * KEPT)) == KEPT
    shutil.rmtree(tmp_path / "ledger" / ORIGIN)
    with pytest.raises(LedgerError, match="restore the ledger's folder"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)


def test_the_checkpoint_says_when_it_was_signed(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS


def test_each_origin_has_its_log_and_its_key(tmp_path, catalog):
    catalog.append_log([*records(0, 2), *records(0, 1, "node/access")])
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    assert writer.catch_up(NOW_NS, None) == {}
    assert origins(tmp_path) == ["node/access", ORIGIN]
    keys = [VerifierKey.parse(text) for text in known_keys(tmp_path)]
    assert sorted(key.name for key in keys) == origins(tmp_path)
    assert len({key.public for key in keys}) == 1
    rows = status(tmp_path, catalog)
    assert [(row["origin"], row["entries"], row["waiting"]) for row in rows] == [("node/access", 1, 0), (ORIGIN, 2, 0)]


def test_nothing_is_written_when_nothing_is_lacking(tmp_path, catalog):
    catalog.append_log(records(0, 3))
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    writer.advance(ORIGIN, now_ns=NOW_NS)
    before = Log(tmp_path, ORIGIN).checkpoint()
    LogWriter(tmp_path, catalog, Keys(tmp_path)).advance(ORIGIN, now_ns=NOW_NS + 9 * SECOND_NS)
    assert Log(tmp_path, ORIGIN).checkpoint() == before
    assert not writer.is_due(NOW_NS, None)


@pytest.mark.parametrize(("size", "first", "step"), [(0, 0, 1), (254, 1, 3)])
def test_a_crash_at_any_call_of_the_disk_leaves_a_log_that_verifies_and_goes_on(tmp_path, size, first, step):
    """The checkpoint is the old or the new one, and the same call does the rest; no checkpoint is ever contradicted."""
    for at in range(first, CALLS, step):
        data = tmp_path / str(at)
        with closing(Catalog.open(data)) as catalog:
            catalog.append_log(records(0, size))
            advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS)
            catalog.append_log(records(size, 3))
            disk = FailingDisk(at, crash=True)
            try:
                advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS, fs=disk)
            except Crash:
                if size:
                    assert head_of(data).size in {size, size + 3}
            advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS)
            head = head_of(data)
            assert head.size == size + 3
            assert Log(data, ORIGIN).reader.consistency_proof(size, size + 3) is not None
        if not disk.failed:
            return
    pytest.fail("more calls than expected")


@pytest.mark.parametrize(("step", "restarted"), [(1, True), (2, False)])
def test_a_power_loss_at_any_moment_leaves_a_checkpoint_over_what_is_durable(tmp_path, step, restarted):
    """Names that were not synced may be gone: also those that a killed process left and the next one found.

    A checkpoint whose own name is lost is signed again over the same entries, which the catalog has; none is lost once somebody looked.
    """
    with closing(Catalog.open(tmp_path / "prepared")) as catalog:
        catalog.append_log(records(0, 255))
        advance(tmp_path / "prepared", catalog, ORIGIN, Keys(tmp_path / "prepared"), now_ns=NOW_NS)
        catalog.append_log(records(255, 2))
    at, crashed = 0, True
    while crashed:
        data = tmp_path / str(at)
        shutil.copytree(tmp_path / "prepared", data)
        with closing(Catalog.open(data)) as catalog:
            disk = PowerLoss(at)
            with suppress(Crash):
                advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS, fs=disk)
            crashed = disk.failed
            if restarted:
                advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS, fs=PowerLoss(-1, unsynced=disk.unsynced))
            disk.lose(step)
            size = head_of(data).size
            assert size in {255, 257}
            if not crashed or restarted:
                assert size == 257  # whoever signed it, or found it signed, returned
            assert len(list(Log(data, ORIGIN).entries())) == size
            advance(data, catalog, ORIGIN, Keys(data), now_ns=NOW_NS, fs=PowerLoss(-1))
            assert head_of(data).size == 257
        at += 1
    assert at > 10


class RefusesOnce(Disk):
    """Counts the syncs of a folder, and refuses the second one."""

    def __init__(self, folder):
        self.folder = folder
        self.syncs = 0

    def sync_directory(self, path):
        self.syncs += path == self.folder
        if path == self.folder and self.syncs == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_directory(path)


def test_a_checkpoint_whose_name_could_not_be_made_durable_is_by_the_next_call(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    catalog.append_log(records(1, 1))
    disk = RefusesOnce(tmp_path / "ledger" / ORIGIN)
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path), disk)
    with pytest.raises(LedgerError, match="publish a checkpoint"):
        writer.advance(ORIGIN, now_ns=NOW_NS)
    assert (head_of(tmp_path).size, disk.syncs) == (2, 2)
    writer.advance(ORIGIN, now_ns=NOW_NS)
    assert disk.syncs == 3


def test_a_full_disk_is_told_and_the_log_goes_on_later(tmp_path, catalog):
    catalog.append_log(records(0, 2))
    with pytest.raises(LedgerError, match="ledger"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS, fs=FailingDisk(3, operations=("write",)))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 2


def test_a_log_that_is_ahead_of_its_catalog_is_refused(tmp_path, catalog):
    """An old copy of the catalog was restored: signing on would take back what was published."""
    catalog.append_log(records(0, 3))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    before = Log(tmp_path, ORIGIN).checkpoint()
    catalog.close()
    for left in tmp_path.glob("catalog.sqlite*"):
        left.unlink()
    with closing(Catalog.open(tmp_path)) as older:
        older.append_log(records(0, 2))
        writer = LogWriter(tmp_path, older, Keys(tmp_path))
        assert writer.behind() == [ORIGIN]
        with pytest.raises(LedgerError, match="the log has 3 entries, the catalog knows 2"):
            writer.advance(ORIGIN, now_ns=NOW_NS)
        older.append_log(records(12, 3))
        with pytest.raises(LedgerError, match="entry 2 is another one in the catalog"):
            writer.advance(ORIGIN, now_ns=NOW_NS)
    assert Log(tmp_path, ORIGIN).checkpoint() == before


def test_what_others_wrote_meanwhile_is_read(tmp_path, catalog):
    """Commands write logs beside the sealer, one after the other."""
    one, other = (LogWriter(tmp_path, catalog, Keys(tmp_path)) for _ in range(2))
    for entry, writer in enumerate([one, other, other, one, one]):
        catalog.append_log(records(entry, 1))
        writer.advance(ORIGIN, now_ns=NOW_NS + entry * SECOND_NS)
        assert head_of(tmp_path).size == entry + 1
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS + 4


def test_after_a_failure_the_log_is_read_again(tmp_path, catalog):
    """Nothing is signed on top of what the disk may have taken otherwise."""
    disk = FailingDisk(8, operations=("sync",))
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path), disk)
    for entry in range(9):
        catalog.append_log(records(entry, 1))
        with suppress(LedgerError):
            writer.advance(ORIGIN, now_ns=NOW_NS)
        if disk.failed:
            break
    size = head_of(tmp_path).size
    assert size == entry > 0
    tile = tmp_path / "ledger" / ORIGIN / "tile" / "0" / "000.p" / str(size)
    original = tile.read_bytes()
    tile.write_bytes(bytes(32) + original[32:])
    with pytest.raises(LedgerError, match="its entries are not those of its tile"):
        writer.advance(ORIGIN, now_ns=NOW_NS)
    tile.write_bytes(original)
    writer.advance(ORIGIN, now_ns=NOW_NS)
    assert head_of(tmp_path).size == size + 1


def test_damaged_lines_of_the_public_keys_stop_nothing(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    with keys_file(tmp_path).open("ab") as file:
        file.write(b"no key\n\xff\xfe+00000000+AA==\n")
    catalog.append_log(records(1, 1))
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    assert writer.catch_up(NOW_NS + 60 * SECOND_NS, 60 * SECOND_NS) == {}
    assert [row["entries"] for row in status(tmp_path, catalog)] == [2]


def test_nothing_is_signed_on_top_of_a_changed_log(tmp_path, catalog):
    catalog.append_log(records(0, 3))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    tile = tmp_path / "ledger" / ORIGIN / "tile" / "0" / "000.p" / "3"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    catalog.append_log(records(3, 1))
    bundle = tmp_path / "ledger" / ORIGIN / "tile" / "entries" / "000.p" / "3"
    with pytest.raises(LedgerError, match="its entries are not those of its tile"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    entries = [b"another", *decode_bundle(bundle.read_bytes())[1:]]
    bundle.write_bytes(encode_bundle(entries))
    tile.write_bytes(leaf_hash(b"another") + tile.read_bytes()[32:])
    with pytest.raises(LedgerError, match="its tiles are not those of its checkpoint"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)


def test_an_unreadable_checkpoint_is_told_and_other_logs_go_on(tmp_path, catalog):
    catalog.append_log([*records(0, 1), *records(0, 1, "node/access")])
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    (tmp_path / "ledger" / ORIGIN / "checkpoint").write_text("nothing\n")
    catalog.append_log([*records(1, 1), *records(1, 1, "node/access")])
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    failed = writer.catch_up(NOW_NS, 60 * SECOND_NS)
    assert list(failed) == [ORIGIN]
    assert isinstance(failed[ORIGIN], NoteError)
    told = [(row["origin"], row["entries"], row["waiting"], row["trouble"]) for row in status(tmp_path, catalog)]
    assert told[0] == ("node/access", 2, 0, None)
    assert told[1][:3] == (ORIGIN, None, None)
    assert "restore the ledger's folder" in told[1][3]
    assert head_of(tmp_path, "node/access").size == 2


def test_silence_is_signed_anew_after_the_interval_only(tmp_path, catalog):
    catalog.append_log(records(0, 3))
    writer = LogWriter(tmp_path, catalog, Keys(tmp_path))
    writer.advance(ORIGIN, now_ns=NOW_NS)
    head = head_of(tmp_path)
    minute = 60 * SECOND_NS
    assert not writer.is_due(NOW_NS + minute - SECOND_NS, minute)
    assert writer.is_due(NOW_NS + minute, minute)
    assert writer.catch_up(NOW_NS + minute, minute) == {}
    assert head_of(tmp_path) == head
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS + 60
    assert not writer.is_due(NOW_NS + minute, minute)


def test_a_clock_that_goes_back_takes_no_time_back(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    catalog.append_log(records(1, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS - 3600 * SECOND_NS)
    assert signed_at(tmp_path, ORIGIN) == NOW_NS // SECOND_NS


def test_a_ledger_that_is_off_writes_nothing(tmp_path, catalog):
    assert Ledger(enabled=False).writer(tmp_path, catalog) is None
