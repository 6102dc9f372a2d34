"""Requests to witnesses and time-stamping authorities."""

from contextlib import closing
from typing import Any

import pytest

from collector.anchoring.http import MOST_ANSWER_BYTES, AuthorityClient, WitnessClient
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
