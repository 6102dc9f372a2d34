"""The key of a lake is made once, is its owner's, and changes in the open: the old one signs who follows."""

import errno
import os
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.durable import Disk
from storage.errors import StorageError
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys, KeySource, create_seed
from storage.ledger.log import Log, status
from storage.ledger.log_writer import BATCH, Ledger, LogWriter
from storage.ledger.note import VerifierKey, opened
from storage.ledger.rotation import rotate
from tests.failing_disk import Crash, FailingDisk
from tests.storage.ledger.log_records import CALLS, NOW_NS, ORIGIN, advance, head_of, records


class DiesAtTheSecondCheckpoint(Disk):
    """For works that sign more than one."""

    def __init__(self) -> None:
        self._signed = 0

    def replace(self, source: Path, target: Path) -> None:
        self._signed += target.name == "checkpoint"
        if self._signed == 2:
            raise Crash
        super().replace(source, target)


@pytest.fixture
def catalog(tmp_path):
    with closing(Catalog.open(tmp_path)) as opened_catalog:
        yield opened_catalog


def test_the_key_is_made_once_and_is_its_owners(tmp_path):
    keys = Keys(tmp_path)
    first = keys.signer(ORIGIN).verifier
    assert keys.file.stat().st_mode & 0o777 == 0o600
    assert Keys(tmp_path).signer(ORIGIN).verifier == first


def test_a_key_that_others_can_read_is_refused(tmp_path):
    keys = Keys(tmp_path)
    keys.seed()
    keys.file.chmod(0o644)
    with pytest.raises(LedgerError, match="chmod 600"):
        keys.seed()


def test_a_key_that_cannot_be_reached_is_told(tmp_path):
    (tmp_path / "keys").write_text("a file where the folder should be")
    with pytest.raises(LedgerError, match="let this user read it"):
        Keys(tmp_path).seed()


def test_a_damaged_key_is_refused_and_not_shown(tmp_path):
    keys = Keys(tmp_path)
    keys.seed()
    secret = keys.file.read_text()[:20]
    keys.file.write_text(secret)
    with pytest.raises(LedgerError, match="not base64 of 32 bytes") as caught:
        keys.seed()
    assert secret not in str(caught.value)


def test_a_key_from_the_environment_signs_as_the_same_key_in_a_file(tmp_path):
    create_seed(tmp_path / "one")
    text = (tmp_path / "one").read_text()
    from_file = Keys(tmp_path, KeySource(file=tmp_path / "one"))
    from_environment = Keys(tmp_path, KeySource(env="LEDGER_KEY"), {"LEDGER_KEY": text})
    assert from_file.signer(ORIGIN).verifier == from_environment.signer(ORIGIN).verifier
    with pytest.raises(LedgerError, match="LEDGER_KEY"):
        Keys(tmp_path, KeySource(env="LEDGER_KEY"), {}).seed()


def test_no_second_key_is_made_for_a_lake_that_signed_with_another(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    Keys(tmp_path).file.unlink()
    catalog.append_log(records(1, 1))
    with pytest.raises(LedgerError, match="restore it"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)


@pytest.mark.parametrize("origin", [ORIGIN, "node/new"])
def test_another_key_than_that_of_the_lake_signs_nothing(tmp_path, catalog, origin):
    """Also for a log that is not begun: one lake has one key."""
    catalog.append_log(records(0, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    catalog.append_log(records(1, 1, origin))
    create_seed(tmp_path / "other")
    with pytest.raises(LedgerError):
        advance(tmp_path, catalog, origin, Keys(tmp_path, KeySource(file=tmp_path / "other")), now_ns=NOW_NS)


def test_both_keys_sign_a_rotation_and_the_new_one_what_follows(tmp_path, catalog):
    catalog.append_log([*records(0, 2), *records(0, 1, "node/access")])
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    old = Keys(tmp_path).signer(ORIGIN).verifier
    rotated = rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS)
    new = Keys(tmp_path).signer(ORIGIN).verifier
    assert {key.name: key for key in rotated}[ORIGIN] == new != old
    assert not Keys(tmp_path).rotates()
    change = Log(tmp_path, ORIGIN).entry(2)
    assert (change["kind"], change["old"], change["new"], change["lost"]) == ("key", str(old), str(new), False)
    kept = (tmp_path / "ledger" / ORIGIN / "rotations" / "3").read_text()
    assert kept == Log(tmp_path, ORIGIN).checkpoint()
    assert set(opened(kept, [old, new]).by) == {old, new}
    catalog.append_log(records(2, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    newest = Log(tmp_path, ORIGIN).checkpoint()
    assert newest is not None
    assert opened(newest, [old, new]).by == (new,)
    assert head_of(tmp_path).size == 4


def test_a_crash_in_a_rotation_is_ended_by_the_next_who_writes(tmp_path):
    """Whatever was done: every log goes on with one key, the old one until the catalog names the new one."""
    for at in range(0, CALLS, 3):  # a file is written in five calls: each of them is hit
        data = tmp_path / str(at)
        with closing(Catalog.open(data)) as catalog:
            catalog.append_log([*records(0, 2), *records(0, 1, "node/access")])
            LogWriter(data, catalog, Keys(data)).catch_up(NOW_NS, None)
            disk = FailingDisk(at, crash=True)
            with suppress(Crash):
                rotate(data, catalog, Ledger(), now_ns=NOW_NS, fs=disk)
            catalog.append_log([*records(2, 1), *records(0, 1, "node/begun-later")])
            assert LogWriter(data, catalog, Keys(data)).catch_up(NOW_NS, None) == {}
            publics = {VerifierKey.parse(row["key"]).public for row in status(data, catalog)}
            assert publics == {Keys(data).signer(ORIGIN).verifier.public}
            assert not Keys(data).rotates()
            assert {row["waiting"] for row in status(data, catalog)} == {0}
        if not disk.failed:
            return
    pytest.fail("more calls than expected")


def test_a_rotation_to_a_key_of_the_operators_goes_on_with_it(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    create_seed(tmp_path / "theirs")
    theirs = KeySource(file=tmp_path / "theirs")
    rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, to=theirs)
    catalog.append_log(records(1, 1))
    with pytest.raises(LedgerError, match="another one is configured"):
        advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path, theirs), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 3
    with pytest.raises(LedgerError, match="the new key is the one in use"):
        rotate(tmp_path, catalog, Ledger(keys=theirs), now_ns=NOW_NS, to=theirs)


def test_a_lost_key_is_followed_by_one_that_it_did_not_sign(tmp_path, catalog):
    """What the old key signed stays; the log says that the new one came without it."""
    catalog.append_log(records(0, 2))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    old = Keys(tmp_path).signer(ORIGIN).verifier
    with pytest.raises(LedgerError, match="nothing was lost"):
        rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, lost=True)
    Keys(tmp_path).file.unlink()
    catalog.append_log([*records(2, 1), *records(0, 1, "node/access")])
    rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, lost=True)
    new = Keys(tmp_path).signer(ORIGIN).verifier
    assert Log(tmp_path, ORIGIN).entry(3)["lost"] is True
    assert opened((tmp_path / "ledger" / ORIGIN / "rotations" / "4").read_text(), [old, new]).by == (new,)
    assert head_of(tmp_path, "node/access").size == 1
    catalog.append_log(records(3, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 5


@pytest.mark.parametrize("next_is_lost", [False, True])
def test_a_key_that_is_lost_in_the_middle_of_its_rotation_is_followed_by_another(tmp_path, catalog, next_is_lost):
    """What waits, the interrupted rotation too, is signed with the key that follows."""
    catalog.append_log(records(0, 2))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    with pytest.raises(Crash):  # the change is in the catalog: nothing of the log is written
        rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, fs=FailingDisk(1, crash=True))
    keys = Keys(tmp_path)
    keys.file.unlink()
    if next_is_lost:
        keys.next_file.unlink()
    catalog.append_log(records(2, 1))
    rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, lost=True)
    assert head_of(tmp_path).size == 5
    assert [Log(tmp_path, ORIGIN).entry(at).get("lost") for at in (2, 4)] == [False, True]
    catalog.append_log(records(3, 1))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 6


def test_what_waited_for_a_lost_key_is_signed_by_the_next_one_also_after_a_crash(tmp_path, catalog):
    """More than one checkpoint takes."""
    catalog.append_log(records(0, 1))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    Keys(tmp_path).file.unlink()
    catalog.append_log(records(1, BATCH + 5))
    with pytest.raises(Crash):
        rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, lost=True, fs=DiesAtTheSecondCheckpoint())
    assert head_of(tmp_path).size == 1 + BATCH
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 1 + BATCH + 5 + 1


def test_an_interrupted_rotation_to_a_key_of_the_operators_is_ended_by_the_same_call(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    create_seed(tmp_path / "theirs")
    theirs = KeySource(file=tmp_path / "theirs")
    with pytest.raises(Crash):
        rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, to=theirs, fs=FailingDisk(1, crash=True))
    assert rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, to=theirs) == [Keys(tmp_path, theirs).signer(ORIGIN).verifier]
    assert head_of(tmp_path).size == 2
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path, theirs), now_ns=NOW_NS)


def test_an_interrupted_rotation_is_ended_before_one_to_a_key_of_the_operators(tmp_path, catalog):
    catalog.append_log(records(0, 1))
    LogWriter(tmp_path, catalog, Keys(tmp_path)).catch_up(NOW_NS, None)
    with pytest.raises(Crash):
        rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, fs=FailingDisk(1, crash=True))
    create_seed(tmp_path / "theirs")
    rotate(tmp_path, catalog, Ledger(), now_ns=NOW_NS, to=KeySource(file=tmp_path / "theirs"))
    assert head_of(tmp_path).size == 3
    assert not Keys(tmp_path).rotates()


def test_a_key_that_cannot_be_written_leaves_nothing_of_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "I/O error")))
    with pytest.raises(LedgerError, match="make the ledger's key"):
        create_seed(tmp_path / "keys" / "ledger.key")
    assert list((tmp_path / "keys").iterdir()) == []


def test_a_key_in_the_environment_needs_a_place_for_its_follower(tmp_path, catalog):
    with pytest.raises(StorageError, match="--to-env or --to-file"):
        rotate(tmp_path, catalog, Ledger(keys=KeySource(env="LEDGER_KEY")), now_ns=NOW_NS)
