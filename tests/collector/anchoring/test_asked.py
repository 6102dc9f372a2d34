"""A witness is asked itself: what stands beside the log may have been taken back with it."""

import os
from pathlib import Path

import pytest

from collector.anchoring.asked import AskedWitness
from storage.ledger.cosigning import request
from storage.ledger.errors import LedgerError
from storage.ledger.note import SigningKey
from storage.ledger.witness import Witness
from tests.collector import witness_served
from tests.collector.anchoring.answering import answering
from tests.collector.witness_served import served
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

log, witness = witness_served.log, witness_served.witness


def test_a_witness_tells_what_it_has_cosigned(log: WrittenLog, witness: Witness) -> None:
    witness.add_checkpoint(request(0, [], log.grow(4)))
    with served(witness) as url:
        (found,) = AskedWitness(url + "/", witness.key).evidence(ORIGIN)
        assert list(AskedWitness(url, witness.key).evidence("unknown/collector")) == []
    assert (found.kind, found.by, found.size, found.root, found.time_s) == ("witness", "example.com/w", 4, log.head.root, NOW_S)


def test_an_answer_of_another_key_is_no_evidence(log: WrittenLog, witness: Witness) -> None:
    witness.add_checkpoint(request(0, [], log.grow(4)))
    stranger = SigningKey.from_seed("example.com/w", os.urandom(32)).verifier
    with served(witness) as url, pytest.raises(LedgerError, match="none of the given keys"):
        list(AskedWitness(url, stranger).evidence(ORIGIN))


def test_a_checkpoint_of_another_log_says_nothing_of_this_one(tmp_path: Path, witness: Witness) -> None:
    other = WrittenLog(tmp_path / "other", "other/collector")
    witness.use({other.origin: [other.signer.verifier]})
    answer = witness.add_checkpoint(request(0, [], other.grow(4)))
    note = (other.reader.checkpoint() or "") + answer.body
    with answering(lambda _body: (200, "text/plain", note.encode())) as url:
        assert list(AskedWitness(url, witness.key).evidence(ORIGIN)) == []


def test_a_witness_that_does_not_answer_is_named(witness: Witness) -> None:
    with pytest.raises(LedgerError, match=r"example\.com/w"):
        list(AskedWitness("http://127.0.0.1:1", witness.key).evidence(ORIGIN))
    with answering(lambda _body: (501, "text/plain", b"")) as url, pytest.raises(LedgerError, match="not every witness"):
        list(AskedWitness(url, witness.key).evidence(ORIGIN))
