"""A witness over HTTP."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from storage.ledger.cosigning import request
from storage.ledger.note import opened, signed, split
from storage.ledger.witness import MAX_REQUEST_BYTES, Witness
from tests.collector.witness_served import served
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    return WrittenLog(tmp_path / "lake")


@pytest.fixture
def witness(tmp_path: Path, log: WrittenLog) -> Iterator[Witness]:
    made = Witness(tmp_path / "witness", "witness.example/w1", {ORIGIN: [log.signer.verifier]}, clock=lambda: NOW_S)
    yield made
    made.close()


@pytest.fixture
def url(witness: Witness) -> Iterator[str]:
    with served(witness) as address:
        yield address


def test_a_checkpoint_is_cosigned_and_shown(url: str, witness: Witness, log: WrittenLog) -> None:
    note = log.grow(3)
    answer = httpx.post(f"{url}/add-checkpoint", content=request(0, [], note))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    body, _ = split(note)
    assert opened(signed(body, answer.text.splitlines()), [witness.key]).times == {witness.key: NOW_S}
    shown = httpx.get(f"{url}/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint")
    assert opened(shown.content, [witness.key]).body == body


def test_a_conflict_names_the_size_in_the_type_of_the_specification(url: str, log: WrittenLog) -> None:
    httpx.post(f"{url}/add-checkpoint", content=request(0, [], log.grow(3)))
    answer = httpx.post(f"{url}/add-checkpoint", content=request(0, [], log.grow(1)))
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (409, "text/x.tlog.size", "3\n")


def test_what_is_too_long_is_refused_unread(url: str) -> None:
    assert httpx.post(f"{url}/add-checkpoint", content=bytes(MAX_REQUEST_BYTES + 1)).status_code == 413


def test_other_paths_and_methods_are_refused(url: str) -> None:
    assert httpx.get(f"{url}/add-checkpoint").status_code == 405
    assert httpx.get(f"{url}/witness.key").status_code == 404
    assert httpx.get(f"{url}/{'0' * 64}/checkpoint").status_code == 404
    assert httpx.post(f"{url}/").status_code == 404


def test_a_state_that_cannot_be_read_is_an_error_and_no_signature(url: str, tmp_path: Path, log: WrittenLog) -> None:
    httpx.post(f"{url}/add-checkpoint", content=request(0, [], log.grow(3)))
    state = tmp_path / "witness" / "logs" / sha256(ORIGIN.encode()).hexdigest() / "checkpoint"
    state.write_text(state.read_text().replace("\n3\n", "\n2\n"))
    answer = httpx.post(f"{url}/add-checkpoint", content=request(0, [], log.grow(1)))
    assert (answer.status_code, answer.text) == (500, "the witness cannot read or write its state\n")
