"""A witness of c2sp.org/tlog-witness: each sentence of the specification that says MUST, and what a log cannot do against it."""

import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from storage.errors import LakeLocked
from storage.ledger.cosigning import request
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.note import Checkpoint, SigningKey, encode_base64, opened, signed, split
from storage.ledger.witness import MAX_KEPT, Answer, Witness, read_logs
from tests.failing_disk import Crash, FailingDisk
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

NAME = "witness.example/w1"


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW_S)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    return WrittenLog(tmp_path / "lake")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, log: WrittenLog, clock: Clock) -> Iterator[Witness]:
    made = Witness(tmp_path / "witness", NAME, {ORIGIN: [log.signer.verifier]}, clock=clock)
    yield made
    made.close()


def add(witness: Witness, log: WrittenLog, old: int, note: str | None = None) -> Answer:
    """Ask for a cosignature of a note, else of the log's newest checkpoint, with the proof that belongs to it."""
    proof = log.reader.reader.consistency_proof(old, log.size) if old <= log.size else []
    return witness.add_checkpoint(request(old, proof, note or log.reader.checkpoint() or ""))


def test_the_answer_is_a_timestamped_cosignature_of_the_checkpoint(witness: Witness, log: WrittenLog) -> None:
    body, _ = split(log.grow(5))
    answer = add(witness, log, 0)
    assert (answer.status, answer.body[-1]) == (200, "\n")
    assert opened(signed(body, answer.body.splitlines()), [witness.key]).times == {witness.key: NOW_S}


@pytest.mark.parametrize(("before", "more"), [(1, 1), (5, 3), (255, 2), (256, 256), (300, 700), (1, 1000)])
def test_a_log_that_only_grew_is_cosigned_again(witness: Witness, log: WrittenLog, before: int, more: int) -> None:
    log.grow(before)
    assert add(witness, log, 0).status == 200
    log.grow(more)
    assert add(witness, log, before).status == 200
    assert add(witness, log, before + more).status == 200, "the same size again is a newer time for the same state"


def test_an_old_size_that_is_not_the_witness_s_is_answered_with_the_one_that_is(witness: Witness, log: WrittenLog) -> None:
    log.grow(5)
    assert add(witness, log, 3) == Answer(status=409, body="0\n", content_type="text/x.tlog.size")
    add(witness, log, 0)
    log.grow(2)
    assert add(witness, log, 0) == Answer(status=409, body="5\n", content_type="text/x.tlog.size")
    assert add(witness, log, 6) == Answer(status=409, body="5\n", content_type="text/x.tlog.size")


def test_a_log_that_is_taken_back_is_never_cosigned(witness: Witness, log: WrittenLog) -> None:
    """A restored backup, or a tail that was cut off: its checkpoint is smaller than what the witness has signed."""
    older = log.grow(5)
    log.grow(3)
    add(witness, log, 0)
    for old in range(6):
        proof = log.reader.reader.consistency_proof(old, 5)
        assert witness.add_checkpoint(request(old, proof, older)).status == 409
    assert witness.add_checkpoint(request(8, [], older)).status == 400, "the old size may not be larger than the checkpoint's"


def test_two_histories_of_one_size_are_never_both_cosigned(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    log.grow(5)
    add(witness, log, 0)
    other = WrittenLog(tmp_path / "other")
    other.signer = log.signer
    other.grow(5, "another")
    answer = add(witness, other, 5)
    assert (answer.status, answer.content_type) == (409, "text/plain; charset=utf-8"), "no size: the client must not try again"
    other.grow(4, "another")
    assert add(witness, other, 5).status == 422


def test_a_rewritten_log_leaves_its_signed_contradiction_with_the_witness(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    """Two checkpoints of one size, both signed by the log, prove what it did; how much of it is kept is bounded."""
    log.grow(5)
    add(witness, log, 0)
    for attempt in range(MAX_KEPT + 1):
        other = WrittenLog(tmp_path / f"other{attempt}")
        other.signer = log.signer
        other.grow(5, f"history {attempt}")
        add(witness, other, 5)
    kept = list((tmp_path / "witness" / "conflicts" / sha256(ORIGIN.encode()).hexdigest()).iterdir())
    assert len(kept) == MAX_KEPT
    assert all(Checkpoint.parse(opened(each.read_bytes(), [log.signer.verifier]).body).size == 5 for each in kept)


def test_a_wrong_proof_accuses_nobody_and_takes_no_room_from_what_does(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    """Anybody who has seen a checkpoint can send it with a wrong proof: that is no contradiction of the log."""
    log.grow(5)
    add(witness, log, 0)
    for attempt in range(MAX_KEPT + 1):
        answer = witness.add_checkpoint(request(5, [bytes(32)], log.grow(1)))
        assert (answer.status, answer.contradicts) == (422, None)
        assert (answer.unproven == ORIGIN) == (attempt < MAX_KEPT), "it is told as long as it is kept"
    folder = tmp_path / "witness"
    assert not (folder / "conflicts").exists()
    assert len(list((folder / "unproven" / sha256(ORIGIN.encode()).hexdigest()).iterdir())) == MAX_KEPT
    other = WrittenLog(tmp_path / "other")
    other.signer = log.signer
    other.grow(5, "another")
    assert add(witness, other, 5).contradicts == ORIGIN
    assert len(list((folder / "conflicts" / sha256(ORIGIN.encode()).hexdigest()).iterdir())) == 1


@pytest.mark.parametrize("change", ["drop", "add", "flip", "swap"])
def test_a_proof_that_does_not_hold_is_refused(witness: Witness, log: WrittenLog, change: str) -> None:
    log.grow(5)
    add(witness, log, 0)
    note = log.grow(6)
    proof = log.reader.reader.consistency_proof(5, 11)
    match change:
        case "drop":
            proof.pop()
        case "add":
            proof.append(proof[0])
        case "flip":
            proof[1] = bytes([proof[1][0] ^ 1]) + proof[1][1:]
        case "swap":
            proof[0], proof[1] = proof[1], proof[0]
    assert witness.add_checkpoint(request(5, proof, note)).status == 422
    assert add(witness, log, 5).status == 200, "nothing was remembered of it"


def test_a_proof_where_none_is_due_is_refused(witness: Witness, log: WrittenLog) -> None:
    note = log.grow(5)
    assert witness.add_checkpoint(request(0, [os.urandom(32)], note)).status == 422
    add(witness, log, 0)
    assert witness.add_checkpoint(request(5, [os.urandom(32)], note)).status == 422


def test_an_empty_log_has_the_empty_root(witness: Witness, log: WrittenLog) -> None:
    log.grow(0)
    assert add(witness, log, 0).status == 200
    body = Checkpoint(ORIGIN, 0, os.urandom(32)).body()
    assert witness.add_checkpoint(request(0, [], signed(body, [log.signer.sign(body)]))).status == 409


def test_an_unknown_log_is_not_found(tmp_path: Path, witness: Witness) -> None:
    stranger = WrittenLog(tmp_path / "stranger", "elsewhere/collector")
    stranger.grow(1)
    assert add(witness, stranger, 0).status == 404


def test_a_checkpoint_of_another_key_is_forbidden(witness: Witness, log: WrittenLog) -> None:
    log.grow(1)
    body = log.head.body()
    stranger = SigningKey.from_seed(ORIGIN, os.urandom(32))
    assert add(witness, log, 0, signed(body, [stranger.sign(body)])).status == 403
    other = Checkpoint(ORIGIN, 2, os.urandom(32)).body()
    assert add(witness, log, 0, signed(other, [log.signer.sign(body)])).status == 403, "a signature of another text"
    assert add(witness, log, 0, signed(body, [stranger.sign(body), log.signer.sign(body)])).status == 200, "others' lines are ignored"


def test_both_keys_of_a_rotation_are_known_until_the_operator_drops_one(witness: Witness, log: WrittenLog) -> None:
    log.grow(1)
    add(witness, log, 0)
    old, log.signer = log.signer, SigningKey.from_seed(ORIGIN, os.urandom(32))
    log.grow(1)
    assert add(witness, log, 1).status == 403
    witness.use({ORIGIN: [old.verifier, log.signer.verifier]})
    assert add(witness, log, 1).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"old 0\n",
        b"old 00\n\n{note}",
        b"old -1\n\n{note}",
        b"old 0 \n\n{note}",
        b"new 0\n\n{note}",
        b"old 0\r\n\n{note}",
        b"old 0\nAAAA\n\n{note}",
        b"old 0\nnot base64\n\n{note}",
        b"old 99999999999999999999\n\n{note}",
        b"old 0\n\nnode/collector\n1\n",
        b"old 0\n\n{body}\n",
        b"old 0\n\nnot a checkpoint\n\n{line}\n",
        b"old 0\n{hashes}\n{note}",
    ],
)
def test_what_has_not_the_form_of_a_request_is_bad(witness: Witness, log: WrittenLog, body: bytes) -> None:
    note = log.grow(1)
    text, lines = split(note)
    hashes = (encode_base64(bytes(32)) + "\n") * 64
    for name, value in {"note": note, "body": text, "line": lines[0], "hashes": hashes}.items():
        body = body.replace(b"{" + name.encode() + b"}", value.encode())
    assert witness.add_checkpoint(body).status == 400


def test_what_was_cosigned_is_remembered_across_restarts(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    log.grow(5)
    add(witness, log, 0)
    key = witness.key
    witness.close()
    again = Witness(tmp_path / "witness", NAME, {ORIGIN: [log.signer.verifier]}, clock=Clock())
    assert again.key == key
    assert add(again, log, 0).status == 409
    assert add(again, log, 5).status == 200
    again.close()


@pytest.mark.parametrize("crash", [False, True], ids=["fails", "crashes"])
def test_nothing_is_cosigned_that_is_not_durable(tmp_path: Path, log: WrittenLog, crash: bool) -> None:
    """Whichever call of the disk fails: no signature leaves, and what is remembered is the state before or the one asked for, whole."""
    log.grow(5)
    for at in range(20):
        disk, folder = FailingDisk(at, crash=crash), tmp_path / f"witness{at}"
        witness = Witness(folder, NAME, {ORIGIN: [log.signer.verifier]}, clock=Clock(), fs=disk)
        try:
            assert add(witness, log, 0).status == 200
        except (LedgerError, Crash):
            pass
        finally:
            witness.close()
        if not disk.failed:
            assert at >= 5, "open, write, sync, replace, sync the folder"
            return
        witness = Witness(folder, NAME, {ORIGIN: [log.signer.verifier]}, clock=Clock())
        answer = add(witness, log, 0)
        assert (answer.status, answer.body) == (409, "5\n") or answer.status == 200
        witness.close()
    pytest.fail("the disk never stopped failing")


def test_requests_at_once_never_take_the_state_back(witness: Witness, log: WrittenLog) -> None:
    """Threads race for all sizes: what was cosigned last is the largest that was cosigned at all."""
    notes = [log.grow(1) for _ in range(24)]
    granted: list[int] = []

    def ask(size: int) -> None:
        old = 0
        while True:
            answer = witness.add_checkpoint(request(old, log.reader.reader.consistency_proof(old, size), notes[size - 1]))
            if answer.status == 200:
                granted.append(size)
            if answer.content_type != "text/x.tlog.size" or int(answer.body) > size:
                return
            old = int(answer.body)

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(granted)) == len(granted)  # threads note them in another order than they were granted
    assert max(granted) == 24
    stored = witness.checkpoint(sha256(ORIGIN.encode()).hexdigest())
    assert stored is not None
    assert Checkpoint.parse(split(stored)[0]).size == 24


def test_the_time_of_cosignatures_never_goes_back(witness: Witness, log: WrittenLog, clock: Clock) -> None:
    body, _ = split(log.grow(5))
    add(witness, log, 0)
    clock.now -= 3600
    assert opened(signed(body, add(witness, log, 5).body.splitlines()), [witness.key]).times[witness.key] == NOW_S


def test_the_newest_cosigned_checkpoint_is_shown_with_verified_signatures_alone(witness: Witness, log: WrittenLog) -> None:
    name = sha256(ORIGIN.encode()).hexdigest()
    assert witness.checkpoint(name) is None
    body, lines = split(log.grow(5))
    forged = SigningKey.from_seed(NAME, os.urandom(32)).cosign(body, 1)
    own = witness.key
    impostor = f"— {own.name} {encode_base64(own.id + bytes(72))}"
    assert add(witness, log, 0, signed(body, [*lines, forged, impostor])).status == 200
    shown = witness.checkpoint(name)
    assert shown is not None
    assert opened(shown, [log.signer.verifier, own]).by == (log.signer.verifier, own)
    assert len(split(shown)[1]) == 2, "neither the forged line nor the one in the witness's own name"
    assert witness.checkpoint(sha256(b"elsewhere").hexdigest()) is None
    assert witness.checkpoint("../witness.key") is None


def test_a_witness_that_lost_its_memory_does_not_go_on(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    witness.close()
    (tmp_path / "witness" / "logs").rmdir()
    with pytest.raises(LedgerError, match="state is lost"):
        Witness(tmp_path / "witness", NAME, {ORIGIN: [log.signer.verifier]}, clock=Clock())


def test_an_altered_state_is_refused(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    log.grow(5)
    add(witness, log, 0)
    state = tmp_path / "witness" / "logs" / sha256(ORIGIN.encode()).hexdigest() / "checkpoint"
    state.write_text(state.read_text().replace("\n5\n", "\n4\n"))
    with pytest.raises(LedgerError, match="altered"):
        add(witness, log, 4)


def test_the_state_of_another_log_is_not_taken_for_this_one_s(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    other = WrittenLog(tmp_path / "other", "other/collector")
    witness.use({ORIGIN: [log.signer.verifier], other.origin: [other.signer.verifier]})
    log.grow(5)
    other.grow(2)
    for each in (log, other):
        add(witness, each, 0)
    mine, theirs = (tmp_path / "witness" / "logs" / sha256(name.encode()).hexdigest() / "checkpoint" for name in (ORIGIN, other.origin))
    mine.write_bytes(theirs.read_bytes())
    with pytest.raises(LedgerError, match="about another log"):
        add(witness, log, 2)


def test_a_folder_that_could_not_be_used_is_free_again(tmp_path: Path, log: WrittenLog) -> None:
    """What is wrong with the name or the logs is told while the folder is held; then it is not."""
    folder = tmp_path / "witness"
    with pytest.raises(NoteError):
        Witness(folder, "a b", {}, clock=Clock())
    assert not (folder / "witness.name").exists()
    Witness(folder, NAME, {}, clock=Clock()).close()


def test_one_process_alone_is_the_witness_of_a_folder(tmp_path: Path, witness: Witness) -> None:
    with pytest.raises(LakeLocked, match="be a witness"):
        Witness(tmp_path / "witness", NAME, {}, clock=Clock())


def test_a_log_cannot_witness_itself(witness: Witness) -> None:
    with pytest.raises(LedgerError, match="key of its own"):
        witness.use({ORIGIN: [witness.key]})


def test_logs_are_read_from_lines_of_verifier_keys(log: WrittenLog) -> None:
    key, other = log.signer.verifier, SigningKey.from_seed("old-name", os.urandom(32)).verifier
    text = f"# team a\n\n{key}\n{ORIGIN} {other}\n"
    assert read_logs(text, "logs.txt") == {ORIGIN: (key, other)}
    with pytest.raises(NoteError, match="line 2"):
        read_logs(f"{key}\n{str(key)[:-3]}\n", "logs.txt")
    with pytest.raises(NoteError, match="key of a witness"):
        read_logs(f"{key.cosigner}\n", "logs.txt")
