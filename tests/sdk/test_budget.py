"""`auditlake.budget()`: asks over HTTP, and is never silent about an answer that it did not get."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import auditlake
import pytest

Connect = Callable[..., auditlake.Handle]
ANSWER = {"allowed": True, "remaining": 10.5, "limit": 100, "unit": "usd", "period_end": "2026-12-01T00:00:00Z"}


@contextmanager
def answering(status: int, body: Any) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that answers everything alike, its address, and what it was asked: paths and credentials."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("authorization")))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_the_answer_is_told_and_the_configured_credentials_are_sent(configure: Connect) -> None:
    with answering(200, ANSWER) as (address, asked):
        configure(budget_endpoint=address, headers={"authorization": "Bearer t"})
        found = auditlake.budget("agent:a/b", 0.25, tenant="acme")
    assert (found.allowed, found.remaining, found.limit, found.unit) == (True, 10.5, 100, "usd")
    assert asked == [("/v1/budgets/agent%3Aa%2Fb?amount=0.25&tokens=0.0&tenant=acme", "Bearer t")]


def test_a_budget_that_is_used_up_is_no_error(configure: Connect) -> None:
    with answering(200, {**ANSWER, "allowed": False, "remaining": 0}) as (address, _):
        configure(budget_endpoint=address)
        assert not auditlake.budget("agent:a").allowed


def test_without_a_budget_everything_is_allowed(configure: Connect) -> None:
    with answering(404, {"status": 404, "title": "Not Found"}) as (address, _):
        configure(budget_endpoint=address)
        assert auditlake.budget("agent:a") == auditlake.Budget(allowed=True)


@pytest.mark.parametrize(("status", "body"), [(401, {}), (403, {}), (422, {}), (503, {}), (404, "another server"), (200, "what")])
def test_no_answer_is_an_error_with_the_remedy(configure: Connect, status: int, body: Any) -> None:
    with answering(status, body) as (address, _):
        configure(budget_endpoint=address)
        with pytest.raises(auditlake.BudgetError) as raised:
            auditlake.budget("agent:a")
    assert raised.value.hint


def test_nobody_there_is_an_error_too(configure: Connect) -> None:
    with answering(200, ANSWER) as (address, _):
        pass
    configure(budget_endpoint=address)
    with pytest.raises(auditlake.BudgetError, match="alerts run"):
        auditlake.budget("agent:a", timeout_seconds=2)


def test_an_address_that_is_none_is_said(configure: Connect) -> None:
    configure(budget_endpoint="ftp://nowhere")
    with pytest.raises(auditlake.BudgetError, match="budget_endpoint"):
        auditlake.budget("agent:a")
