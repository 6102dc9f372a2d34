"""A witness over HTTP."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from collector.anchoring.asked import AskedWitness
from collector.anchoring.http import WitnessClient
from collector.config_admission import TlsConfig
from collector.config_anchors import WitnessConfig
from collector.errors import CollectorError, Unauthenticated
from collector.witness_doors import WitnessDoors, WitnessEndpoint
from storage.ledger.cosigning import NotCosigned, push, request
from storage.ledger.note import opened, signed, split
from storage.ledger.witness import MAX_REQUEST_BYTES, Witness
from tests.collector import witness_served
from tests.collector.certificates import pair
from tests.collector.witness_served import served
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog

log, witness = witness_served.log, witness_served.witness


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


def test_over_tls_a_log_recognises_the_witness_and_is_recognised_by_its_token(tmp_path: Path, witness: Witness, log: WrittenLog) -> None:
    authority = pair("authority")
    cert_file, key_file = pair("witness", authority).write(tmp_path, "witness")
    authority.write(tmp_path, "authority")
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-one-log\n")
    section = WitnessEndpoint(endpoint="127.0.0.1:0", tls=TlsConfig(cert_file=cert_file, key_file=key_file), token_file=tokens)
    log.grow(3)
    with served(witness, section) as url:
        given = {"authorization": "Bearer a-token-of-one-log"}
        known = WitnessConfig.model_validate(
            {"url": url, "key": str(witness.key), "tls": {"ca_file": tmp_path / "authority.pem"}, "headers": given}
        )
        for options, reason in (({}, "unreachable"), ({"tls": known.tls}, "unauthenticated")):
            with closing(WitnessClient(url, "w", **options)) as client, pytest.raises(NotCosigned) as refused:
                push(log.reader, witness.key, client)
            assert refused.value.reason == reason
        with closing(WitnessClient(url, "w", tls=known.tls, headers=known.headers)) as client:
            cosigned = push(log.reader, witness.key, client)
        assert cosigned is not None
        (found,) = AskedWitness(url, witness.key, tls=known.tls, headers=known.headers).evidence(ORIGIN)
        assert (cosigned.checkpoint.size, found.size) == (3, 3)
        refused_answer = httpx.get(f"{url}/", verify=known.tls.context())
        assert (refused_answer.status_code, refused_answer.headers["www-authenticate"]) == (401, 'Bearer realm="auditlake"')


def test_other_machines_are_not_let_in_without_proving_who_they_are(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match="--insecure-allow-anonymous") as refused:
        WitnessDoors(WitnessEndpoint(endpoint="0.0.0.0:7380"))
    assert "0.0.0.0:7380" in str(refused.value)
    (tmp_path / "tokens").write_text("a-token\n")
    WitnessDoors(WitnessEndpoint(endpoint="0.0.0.0:7380", token_file=tmp_path / "tokens"))
    WitnessDoors(WitnessEndpoint(endpoint="0.0.0.0:7380", insecure_allow_anonymous=True))


def test_files_of_the_witness_are_looked_at_again_and_bad_ones_are_named(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("one\n")
    doors = WitnessDoors(WitnessEndpoint(endpoint="127.0.0.1:0", token_file=tokens))
    assert doors.doorkeeper is not None
    tokens.write_text("two\n")
    asyncio.run(doors.look())
    assert asyncio.run(doors.doorkeeper.sender("Bearer two")).name == "witness/1"
    with pytest.raises(Unauthenticated):
        asyncio.run(doors.doorkeeper.sender("Bearer one"))
    tokens.write_text("a:b:c:d:e\n")
    with pytest.raises(CollectorError, match=r"--token-file: .*tokens, line 1"):
        WitnessDoors(WitnessEndpoint(endpoint="127.0.0.1:0", token_file=tokens))
