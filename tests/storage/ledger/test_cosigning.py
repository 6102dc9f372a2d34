"""The log's side of the witness protocol: what is pushed, what is kept of it, and what each refusal means."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.ledger.cosigning import NotCosigned, Reply, newest, note_path, push
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.keys import known_keys
from storage.ledger.log import Log
from storage.ledger.log_writer import Ledger
from storage.ledger.note import VerifierKey, opened
from storage.ledger.rotation import rotate
from storage.ledger.witness import Logs, Witness
from tests.sealed_flows import span, spans_request
from tests.sealed_lake import seal
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

REQUEST = spans_request(span("work", "a", 0, 1), scope="agent", resource={"service.name": "agent"})
Open = Callable[[str, Logs], Witness]


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    return WrittenLog(tmp_path / "lake")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def made(name: str, logs: Logs) -> Witness:
            witness = Witness(tmp_path / name.replace("/", "-"), name, logs, clock=lambda: NOW_S + 60)
            stack.callback(witness.close)
            return witness

        yield made


@pytest.fixture
def witness(begin: Open, log: WrittenLog) -> Witness:
    return begin("example.com/w", {ORIGIN: [log.signer.verifier]})


class Line:
    """The wire to a witness; keeps what was said."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self.requests: list[str] = []
        self.statuses: list[int] = []

    def __call__(self, body: bytes) -> Reply:
        answer = self._witness.add_checkpoint(body)
        self.requests.append(body.decode())
        self.statuses.append(answer.status)
        return Reply(status=answer.status, content_type=answer.content_type, body=answer.body.encode())


def test_the_note_that_is_kept_has_the_log_s_and_the_witness_s_signatures(log: WrittenLog, witness: Witness) -> None:
    log.grow(5)
    cosigned = push(log.reader, witness.key, Line(witness))
    assert cosigned is not None
    found = opened(note_path(log.reader, witness.key).read_bytes(), [log.signer.verifier, witness.key])
    assert found.by == (log.signer.verifier, witness.key)
    assert (cosigned.checkpoint, cosigned.time_s) == (log.head, NOW_S + 60)
    assert newest(log.reader, witness.key) == cosigned


def test_each_push_proves_the_growth_since_the_last(log: WrittenLog, witness: Witness) -> None:
    line = Line(witness)
    for count in (5, 1, 300):
        log.grow(count)
        push(log.reader, witness.key, line)
    assert [request.splitlines()[0] for request in line.requests] == ["old 0", "old 5", "old 6"]
    assert line.statuses == [200, 200, 200]


def test_a_log_that_forgot_what_was_cosigned_asks_the_witness(log: WrittenLog, witness: Witness) -> None:
    log.grow(5)
    push(log.reader, witness.key, Line(witness))
    note_path(log.reader, witness.key).unlink()
    log.grow(2)
    line = Line(witness)
    push(log.reader, witness.key, line)
    assert line.statuses == [409, 200]
    note_path(log.reader, witness.key).write_text("damaged")
    push(log.reader, witness.key, line)
    assert line.statuses == [409, 200, 409, 200]


def test_a_restored_backup_is_told_that_it_is_one(tmp_path: Path, log: WrittenLog, witness: Witness) -> None:
    """Everything on the disk is rolled back to yesterday, notes of witnesses included: the witness remembers."""
    log.grow(5)
    push(log.reader, witness.key, Line(witness))
    shutil.copytree(tmp_path / "lake", tmp_path / "backup")
    log.grow(3)
    push(log.reader, witness.key, Line(witness))
    with pytest.raises(NotCosigned, match="it knows 8 entries of node/collector, here are 5") as refused:
        push(Log(tmp_path / "backup", ORIGIN), witness.key, Line(witness))
    assert (refused.value.reason, refused.value.is_alarm) == ("rolled_back", True)


@pytest.mark.parametrize("more", [0, 4])
def test_a_rewritten_log_is_told_that_it_forks(tmp_path: Path, log: WrittenLog, witness: Witness, more: int) -> None:
    """The owner of the key writes another history: at the same size and beyond it the witness refuses."""
    log.grow(5)
    push(log.reader, witness.key, Line(witness))
    other = WrittenLog(tmp_path / "other")
    other.signer = log.signer
    other.grow(5 + more, "another")
    with pytest.raises(NotCosigned, match="another history") as refused:
        push(other.reader, witness.key, Line(witness))
    assert (refused.value.reason, refused.value.is_alarm) == ("forked", True)
    assert newest(other.reader, witness.key) is None


def test_an_unknown_log_and_an_unknown_key_name_the_remedy(log: WrittenLog, witness: Witness) -> None:
    log.grow(1)
    witness.use({})
    with pytest.raises(NotCosigned, match="auditlake ledger key") as refused:
        push(log.reader, witness.key, Line(witness))
    assert (refused.value.reason, refused.value.is_alarm) == ("unknown_log", False)
    witness.use({ORIGIN: [WrittenLog(log.data / "elsewhere").signer.verifier]})
    with pytest.raises(NotCosigned, match="another key of this log") as refused:
        push(log.reader, witness.key, Line(witness))
    assert refused.value.reason == "unknown_key"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(status=200, content_type="text/plain", body=b""), "bad_answer"),
        (Reply(status=200, content_type="text/plain", body="— example.com/w AAAA\n".encode()), "bad_answer"),
        (Reply(status=200, content_type="text/html", body=b"<html>\xff</html>"), "bad_answer"),
        (Reply(status=409, content_type="text/x.tlog.size", body=b"many\n"), "bad_answer"),
        (Reply(status=409, content_type="text/x.tlog.size; charset=utf-8", body=b"2\n"), "conflict"),
        (Reply(status=500, content_type="text/plain", body=b"oh"), "refused"),
        (Reply(status=301, content_type="text/plain", body=b""), "refused"),
    ],
)
def test_what_is_no_answer_of_the_protocol_cosigns_nothing(log: WrittenLog, witness: Witness, reply: Reply, reason: str) -> None:
    log.grow(3)
    with pytest.raises(NotCosigned) as refused:
        push(log.reader, witness.key, lambda _body: reply)
    assert (refused.value.reason, refused.value.is_alarm) == (reason, False)
    assert newest(log.reader, witness.key) is None


def test_a_cosignature_of_another_checkpoint_or_key_is_not_kept(tmp_path: Path, log: WrittenLog, begin: Open, witness: Witness) -> None:
    """A witness that answers with what it signed before, or in somebody else's name."""
    log.grow(3)
    replies: list[Reply] = []
    line = Line(witness)

    def recorded(body: bytes) -> Reply:
        replies.append(line(body))
        return replies[-1]

    push(log.reader, witness.key, recorded)
    log.grow(1)
    with pytest.raises(NotCosigned, match="configured key"):
        push(log.reader, witness.key, lambda _body: replies[0])
    impostor = begin("example.com/impostor", {ORIGIN: [log.signer.verifier]})
    with pytest.raises(NotCosigned, match="configured key"):
        push(log.reader, witness.key, Line(impostor))


def test_an_older_cosignature_of_the_same_checkpoint_is_not_kept(tmp_path: Path, log: WrittenLog) -> None:
    """What a witness said an hour ago, repeated by who stands between: the log had not grown, so it fits the checkpoint."""
    log.grow(3)
    times = iter([NOW_S, NOW_S + 3600])
    witness = Witness(tmp_path / "witness", "example.com/w", {ORIGIN: [log.signer.verifier]}, clock=lambda: next(times))
    replies: list[Reply] = []
    line = Line(witness)

    def recorded(body: bytes) -> Reply:
        replies.append(line(body))
        return replies[-1]

    for _ in range(2):
        push(log.reader, witness.key, recorded)
    witness.close()
    with pytest.raises(NotCosigned, match="older than the last one"):
        push(log.reader, witness.key, lambda _body: replies[0])
    kept = newest(log.reader, witness.key)
    assert kept is not None
    assert kept.time_s == NOW_S + 3600


def test_nothing_is_pushed_of_a_log_without_a_checkpoint(tmp_path: Path, witness: Witness) -> None:
    assert push(Log(tmp_path / "empty", ORIGIN), witness.key, Line(witness)) is None


def test_a_note_of_another_log_or_an_altered_one_is_no_evidence(tmp_path: Path, log: WrittenLog, begin: Open) -> None:
    other = WrittenLog(tmp_path / "lake", "other/collector")
    witness = begin("example.com/both", {ORIGIN: [log.signer.verifier], other.origin: [other.signer.verifier]})
    log.grow(3)
    other.grow(4)
    for each in (log, other):
        push(each.reader, witness.key, Line(witness))
    path = note_path(log.reader, witness.key)
    shutil.copy(note_path(other.reader, witness.key), path)
    with pytest.raises(LedgerError, match="another log"):
        newest(log.reader, witness.key)
    path.write_text((log.reader.checkpoint() or "").replace("\n3\n", "\n4\n"))
    with pytest.raises(NoteError):
        newest(log.reader, witness.key)


def test_two_lakes_witness_each_other(tmp_path: Path, begin: Open) -> None:
    """Each team runs a witness of the other's lake: what either rewrites, the other's signature contradicts."""
    lakes = {team: seal(tmp_path / team, [REQUEST], origin=f"{team}/collector") for team in ("red", "blue")}
    logs = {team: Log(data, f"{team}/collector") for team, data in lakes.items()}
    keys = {team: [VerifierKey.parse(text) for text in known_keys(data)] for team, data in lakes.items()}
    witnesses = {
        "red": begin("red.example/witness", {"blue/collector": keys["blue"]}),
        "blue": begin("blue.example/witness", {"red/collector": keys["red"]}),
    }
    for _ in range(2):
        for team, other in (("red", "blue"), ("blue", "red")):
            seal(lakes[team], [REQUEST], origin=f"{team}/collector")
            cosigned = push(logs[team], witnesses[other].key, Line(witnesses[other]))
            assert cosigned is not None
            assert cosigned.checkpoint == logs[team].head()
            assert opened(cosigned.note, [*keys[team], witnesses[other].key]).by == (*keys[team], witnesses[other].key)
    assert logs["red"].size == 3
    rewritten = tmp_path / "rewritten"  # another history under the same key
    shutil.copytree(lakes["red"] / "keys", rewritten / "keys")
    seal(rewritten, *[[REQUEST]] * 4, origin="red/collector")
    with pytest.raises(NotCosigned) as refused:
        push(Log(rewritten, "red/collector"), witnesses["blue"].key, Line(witnesses["blue"]))
    assert refused.value.reason == "forked"
    assert push(logs["red"], witnesses["blue"].key, Line(witnesses["blue"])) is not None, "the true one goes on"


def test_the_checkpoint_of_a_rotation_is_taken_by_a_witness_that_knows_the_old_key(tmp_path: Path, begin: Open) -> None:
    """It is signed by both keys; from the next one on the witness must know the new key."""
    data, origin = seal(tmp_path / "lake", [REQUEST]), ORIGIN
    log, old = Log(data, origin), [VerifierKey.parse(text) for text in known_keys(data)]
    witness = begin("example.com/w", {origin: old})
    push(log, witness.key, Line(witness))
    with closing(Catalog.open(data)) as catalog:
        rotate(data, catalog, Ledger(), now_ns=(NOW_S + 5) * 1_000_000_000)
    assert push(log, witness.key, Line(witness)) is not None
    seal(data, [REQUEST])
    with pytest.raises(NotCosigned) as refused:
        push(log, witness.key, Line(witness))
    assert refused.value.reason == "unknown_key"
    witness.use({origin: [VerifierKey.parse(text) for text in known_keys(data)]})
    assert push(log, witness.key, Line(witness)) is not None
