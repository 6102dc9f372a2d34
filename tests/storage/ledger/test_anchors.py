"""The second location, and everything else that outsiders know of a log."""

import errno
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage.ledger.anchors import Anchor, Evidence, Places, sources
from storage.ledger.cosigning import Reply, push
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.stamping import stamp
from storage.ledger.witness import Witness
from tests.failing_disk import Crash, FailingDisk
from tests.storage.ledger.object_store import Store, store
from tests.storage.ledger.time_stamp_authority import NOW, Authority
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

DAY_S = 86_400


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    return WrittenLog(tmp_path / "lake")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    with store() as made:
        yield made


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_each_copy_is_a_file_of_its_own_that_says_what_it_holds(tmp_path: Path, log: WrittenLog) -> None:
    anchor = Anchor(str(tmp_path / "elsewhere"))
    first = log.grow(3)
    anchor.publish(ORIGIN, first, time_s=NOW_S)
    root = log.head.root.hex()
    assert files(tmp_path / "elsewhere") == [f"node/collector/2026-11-21/00000000000000000003-{NOW_S}-{root}"]
    assert anchor.latest(ORIGIN) == first
    second = log.grow(2)
    anchor.publish(ORIGIN, second, time_s=NOW_S + DAY_S)
    assert len(files(tmp_path / "elsewhere")) == 2
    assert anchor.latest(ORIGIN) == second


def test_the_same_copy_twice_is_one(tmp_path: Path, log: WrittenLog) -> None:
    anchor, note = Anchor(str(tmp_path / "elsewhere")), log.grow(3)
    for _ in range(2):
        anchor.publish(ORIGIN, note, time_s=NOW_S)
    assert len(files(tmp_path / "elsewhere")) == 1


def test_what_stands_there_is_never_replaced_deleted_or_renamed(tmp_path: Path, log: WrittenLog) -> None:
    """A store with object lock, or a server that is strict, takes new names alone."""
    disk = FailingDisk(0, operations=("replace", "unlink", "truncate"))
    anchor, note = Anchor(str(tmp_path / "elsewhere"), disk), log.grow(3)
    anchor.publish(ORIGIN, note, time_s=NOW_S)
    anchor.publish(ORIGIN, note, time_s=NOW_S)
    assert not disk.failed
    path = tmp_path / "elsewhere" / files(tmp_path / "elsewhere")[0]
    path.write_text("somebody else's")
    with pytest.raises(LedgerError, match="left as it is"):
        anchor.publish(ORIGIN, note, time_s=NOW_S)
    assert path.read_text() == "somebody else's"


def test_a_crash_in_the_middle_leaves_nothing_that_hides_older_copies(tmp_path: Path, log: WrittenLog) -> None:
    """A torn file has the name of its copy, which tells the truth; the next copy has a newer time."""
    folder = tmp_path / "elsewhere"
    Anchor(str(folder)).publish(ORIGIN, log.grow(3), time_s=NOW_S)
    note = log.grow(1)
    with pytest.raises(Crash):
        Anchor(str(folder), FailingDisk(0, crash=True, operations=("write",))).publish(ORIGIN, note, time_s=NOW_S + 1)
    Anchor(str(folder)).publish(ORIGIN, note, time_s=NOW_S + 2)
    assert [each.size for each in Anchor(str(folder)).evidence(ORIGIN)] == [3, 4, 4]
    assert Anchor(str(folder)).latest(ORIGIN) == note


def test_every_copy_is_evidence_and_nothing_else_is(tmp_path: Path, log: WrittenLog) -> None:
    """The newest alone would not do: who rewrites a log can add a copy that fits."""
    anchor, expected = Anchor(str(tmp_path / "elsewhere")), []
    for day in range(3):
        time_s = NOW_S + day * DAY_S
        anchor.publish(ORIGIN, log.grow(2), time_s=time_s)
        expected.append(Evidence(kind="copy", by=str(tmp_path / "elsewhere"), size=log.size, root=log.head.root, time_s=time_s))
    (tmp_path / "elsewhere" / ORIGIN / "2026-11-21" / "notes.txt").write_text("by hand")
    (tmp_path / "elsewhere" / ORIGIN / "old").mkdir()
    anchor.publish(f"{ORIGIN}/inner", log.reader.checkpoint() or "", time_s=NOW_S)
    assert list(anchor.evidence(ORIGIN)) == expected
    assert list(anchor.evidence("elsewhere/collector")) == []
    assert anchor.latest("elsewhere/collector") is None


def test_only_checkpoints_are_copied(tmp_path: Path) -> None:
    with pytest.raises(NoteError):
        Anchor(str(tmp_path)).publish(ORIGIN, "not a note", time_s=NOW_S)
    assert files(tmp_path) == []


@pytest.mark.parametrize(("error", "said"), [(errno.ENOSPC, "full"), (errno.EROFS, "folder is not writable"), (errno.EIO, "I/O error")])
def test_a_location_that_takes_nothing_names_the_remedy(tmp_path: Path, log: WrittenLog, error: int, said: str) -> None:
    anchor = Anchor(str(tmp_path / "elsewhere"), FailingDisk(0, operations=("sync",), error=error))
    with pytest.raises(LedgerError, match=said):
        anchor.publish(ORIGIN, log.grow(1), time_s=NOW_S)


def test_an_object_store_takes_copies_by_one_request_each(s3: Store, log: WrittenLog) -> None:
    anchor = Anchor(s3.location("bucket/audit"))
    note = log.grow(3)
    anchor.publish(ORIGIN, note, time_s=NOW_S)
    assert s3.requests == ["PUT"], "the right to put is enough"
    root = log.head.root.hex()
    assert s3.objects == {f"bucket/audit/node/collector/2026-11-21/00000000000000000003-{NOW_S}-{root}": note.encode()}
    anchor.publish(ORIGIN, log.grow(2), time_s=NOW_S + DAY_S)
    assert [(each.size, each.by) for each in anchor.evidence(ORIGIN)] == [(3, "s3://bucket/audit"), (5, "s3://bucket/audit")]
    assert anchor.latest(ORIGIN) == log.reader.checkpoint()
    assert list(anchor.evidence("other/collector")) == []
    assert anchor.origins() == [ORIGIN]


def test_an_object_store_that_refuses_says_why_and_shows_no_credentials(s3: Store, log: WrittenLog) -> None:
    s3.denied = {"PUT", "GET", "HEAD"}
    anchor = Anchor(s3.location(":".join(("name", "word@bucket/audit"))))
    for attempt in (lambda: anchor.publish(ORIGIN, log.grow(1), time_s=NOW_S), lambda: list(anchor.evidence(ORIGIN))):
        with pytest.raises(LedgerError, match="ACCESS_DENIED: check its address") as refused:
            attempt()
        assert "word" not in str(refused.value)
        assert "s3://bucket/audit" in str(refused.value)


def test_a_location_that_is_no_address_is_named(log: WrittenLog) -> None:
    with pytest.raises(LedgerError, match="name a folder, or a URL"):
        Anchor("gopher://somewhere/else").publish(ORIGIN, log.grow(1), time_s=NOW_S)


def test_what_outsiders_know_is_gathered_from_all_of_them(tmp_path: Path, log: WrittenLog) -> None:
    witness = Witness(tmp_path / "witness", "example.com/w", {ORIGIN: [log.signer.verifier]}, clock=lambda: NOW_S + 5)
    authority, ca_file = Authority(), tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem)

    def post(body: bytes) -> Reply:
        answer = witness.add_checkpoint(body)
        return Reply(status=answer.status, content_type=answer.content_type, body=answer.body.encode())

    note = log.grow(2)
    Anchor(str(tmp_path / "elsewhere")).publish(ORIGIN, note, time_s=NOW_S)
    log.grow(2)
    push(log.reader, witness.key, post)
    witness.close()
    log.grow(2)
    stamp(log.reader, authority.answer, authority.roots, nonce=1)
    places = Places(copies=(str(tmp_path / "elsewhere"),), witnesses=(witness.key,), authority_file=ca_file)
    found = [each for source in sources(log.data, places) for each in source.evidence(ORIGIN)]
    stamped_s = int((NOW + timedelta()).timestamp())
    assert [(each.kind, each.by, each.size, each.time_s) for each in found] == [
        ("copy", str(tmp_path / "elsewhere"), 2, NOW_S),
        ("witness", "example.com/w", 4, NOW_S + 5),
        ("timestamp", "CN=Stamps", 6, stamped_s),
    ]
    assert all(each.root == log.reader.reader.root(each.size) for each in found)
    assert [source.name for source in sources(log.data, places)] == [str(tmp_path / "elsewhere"), "example.com/w", str(ca_file)]
    assert sources(log.data, Places()) == []
