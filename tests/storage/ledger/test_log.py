"""The logs are written from the catalog: what a checkpoint covers is durable, a crash anywhere is only a delay, keys rotate in the open."""

from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.errors import StorageError
from storage.layout import LogRecord
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.keys import Keys, KeySource, create_seed, known_keys
from storage.ledger.log import Ledger, Log, LogWriter, advance, origins, signed_at, status
from storage.ledger.note import Checkpoint, VerifierKey, opened
from storage.ledger.rotation import rotate
from tests.failing_disk import Crash, FailingDisk

ORIGIN = "node/collector"
SECOND_NS = 1_000_000_000
NOW_NS = 1_795_262_400 * SECOND_NS
CALLS = 200
"""More calls of the file system than any of these works makes."""


@pytest.fixture
def catalog(tmp_path):
    with closing(Catalog.open(tmp_path)) as opened_catalog:
        yield opened_catalog


def records(first: int, count: int, origin: str = ORIGIN) -> list[LogRecord]:
    bodies = [b'{"entry":%d,"kind":"segment"}' % entry for entry in range(first, first + count)]
    return [LogRecord(origin=origin, kind="segment", entry=first + at, body=body) for at, body in enumerate(bodies)]


def head_of(data: Path, origin: str = ORIGIN) -> Checkpoint:
    """What the newest checkpoint says, its signature verified by the key in use, its root by the tiles."""
    log = Log(data, origin)
    note = log.checkpoint()
    assert note is not None
    keys = [VerifierKey.parse(text) for text in known_keys(data) if text.startswith(f"{origin}+")]
    head = Checkpoint.parse(opened(note, keys).body)
    assert head == log.head()
    assert log.reader.root(head.size) == head.root
    return head


def test_the_log_has_what_the_catalog_has_and_a_checkpoint_over_it(tmp_path, catalog):
    catalog.append_log(records(0, 300))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    assert head_of(tmp_path).size == 300
    assert [each["entry"] for each in Log(tmp_path, ORIGIN).entries()] == list(range(300))
    assert Log(tmp_path, ORIGIN).entry(299) == {"entry": 299, "kind": "segment"}
    assert catalog.log_index(ORIGIN, 299) == 299
    assert catalog.log_index(ORIGIN, 300) is None


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
    assert Log(tmp_path, ORIGIN).checkpoint() == before


def test_nothing_is_signed_on_top_of_a_changed_log(tmp_path, catalog):
    catalog.append_log(records(0, 3))
    advance(tmp_path, catalog, ORIGIN, Keys(tmp_path), now_ns=NOW_NS)
    tile = tmp_path / "ledger" / ORIGIN / "tile" / "0" / "000.p" / "3"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    catalog.append_log(records(3, 1))
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


# keys


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


# rotation


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


def test_a_key_in_the_environment_needs_a_place_for_its_follower(tmp_path, catalog):
    with pytest.raises(StorageError, match="--to-env or --to-file"):
        rotate(tmp_path, catalog, Ledger(keys=KeySource(env="LEDGER_KEY")), now_ns=NOW_NS)
