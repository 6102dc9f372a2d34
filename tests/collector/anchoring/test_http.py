"""Requests to witnesses and time-stamping authorities."""

import gzip
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from collector.anchoring.http import MOST_ANSWER_BYTES, AuthorityClient, WitnessClient
from collector.config_exporters import ClientTlsConfig
from storage.ledger.cosigning import NotCosigned, Reply
from storage.ledger.errors import LedgerError
from tests.collector.anchoring.answering import answering

CREDENTIALS = ":".join(("user", "word"))


def posted(client: Any, body: bytes) -> Any:
    with closing(client):
        return client(body)


def test_a_witness_s_answer_is_returned_whatever_its_status() -> None:
    asked: list[bytes] = []

    def answer(body: bytes) -> tuple[int, str, bytes]:
        asked.append(body)
        return 409, "text/x.tlog.size", b"5\n"

    with answering(answer) as url:
        assert posted(WitnessClient(url + "/", "w"), b"old 0\n") == Reply(status=409, content_type="text/x.tlog.size", body=b"5\n")
    assert asked == [b"old 0\n"]


def test_a_redirect_is_not_followed() -> None:
    with answering(lambda _body: (302, "text/plain", b"")) as url:
        assert posted(WitnessClient(url, "w"), b"").status == 302


def test_an_answer_without_end_is_cut() -> None:
    with answering(lambda _body: (200, "text/plain", bytes(MOST_ANSWER_BYTES + 1))) as url, pytest.raises(NotCosigned, match="too long"):
        posted(WitnessClient(url, "w"), b"")


def test_a_compressed_answer_is_neither_asked_for_nor_decoded() -> None:
    """A short answer that becomes a long one when it is decoded."""
    bomb = gzip.compress(bytes(1 << 20))
    with answering(lambda _body: (200, "text/plain", bomb), {"content-encoding": "gzip"}) as url:
        assert posted(WitnessClient(url, "w"), b"").body == bomb


def test_who_sends_a_byte_now_and_then_is_left() -> None:
    """Each byte comes in time, the head never ends; the next exchange is not held up."""
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        for _ in range(2):
            with server.accept()[0] as peer, suppress(OSError):
                peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not ended.wait(0.01):
                    peer.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        client = WitnessClient(f"http://127.0.0.1:{server.getsockname()[1]}", "w", timeout_seconds=0.1)
        for _ in range(2):
            with pytest.raises(NotCosigned, match="too slow"):
                client(b"")
        ended.set()
        thread.join(10)
        client.close()
    assert not thread.is_alive()


def test_certificates_that_went_are_named_without_a_request(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"gone\.pem"):
        WitnessClient("https://127.0.0.1:1", "w", tls=ClientTlsConfig.model_construct(ca_file=tmp_path / "gone.pem"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", f"http://{CREDENTIALS}@127.0.0.1:1/prefix", "http://["])
def test_no_connection_is_an_error_that_shows_no_credentials(url: str) -> None:
    with pytest.raises(NotCosigned, match="can it be reached") as refused:
        posted(WitnessClient(url, "example.com/w"), b"")
    assert refused.value.reason == "unreachable"
    assert "word" not in str(refused.value)
    assert "example.com/w" in str(refused.value)


def test_an_authority_s_answer_is_its_body() -> None:
    with answering(lambda body: (200, "application/timestamp-reply; x=y", body[::-1])) as url:
        assert posted(AuthorityClient(url), b"abc") == b"cba"


@pytest.mark.parametrize(("status", "kind"), [(500, "application/timestamp-reply"), (200, "text/html")])
def test_what_is_no_answer_of_an_authority_is_refused(status: int, kind: str) -> None:
    with answering(lambda _body: (status, kind, b"")) as url, pytest.raises(LedgerError, match="RFC 3161"):
        posted(AuthorityClient(url), b"")
    with pytest.raises(LedgerError, match="can it be reached") as refused:
        posted(AuthorityClient(f"http://{CREDENTIALS}@127.0.0.1:1/tsa"), b"")
    assert "word" not in str(refused.value)
