"""What a backend refuses: never sent again where it must not be, never lost where it is about us."""

from pathlib import Path

import grpc
import orjson
import pytest

from collector.forwarding.cursor import Cursor
from collector.forwarding.queue import exporter_folder
from collector.signals import TRACES
from tests.collector.forwarding.backends import (
    ID,
    GrpcBackend,
    HttpAnswer,
    HttpBackend,
    events,
    forward_all,
    names,
    over_grpc,
    over_http,
    ready,
    sealed,
    spans,
)


def test_what_is_refused_for_good_is_counted_kept_and_told_and_the_next_one_follows(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    backend.answer = lambda got: HttpAnswer(400, b"no") if names([got]) == ["bad"] else HttpAnswer()
    sealed(data, spans("bad"), entry=0)
    sealed(data, spans("good"), entry=1)
    status = forward_all(data, forward)
    assert names(backend.taken) == ["good"]
    assert (status.counts["rejected"], status.counts["sent"]) == (1, 1)
    (letter,) = (exporter_folder(data, ID) / "dead-letters").glob("*.pb")
    why = orjson.loads(letter.with_suffix(".json").read_bytes())
    assert (why["reason"], why["records"], why["message"]) == ("HTTP 400", 1, "no")
    assert TRACES.request.FromString(letter.read_bytes()).resource_spans
    assert events(data) == [("forward.rejected", ID, "HTTP 400", "1")]


@pytest.mark.parametrize(
    ("code", "details"),
    [(grpc.StatusCode.INVALID_ARGUMENT, "bad"), (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota"), (grpc.StatusCode.UNIMPLEMENTED, "")],
)
def test_a_grpc_code_that_must_not_be_retried_is_not(data: Path, grpc_backend: GrpcBackend, code: grpc.StatusCode, details: str) -> None:
    grpc_backend.fails = lambda _: (code, details, None)
    forward = over_grpc(grpc_backend.port)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["rejected"] == 1
    assert len(grpc_backend.asked) == 1


def test_retry_info_makes_resource_exhausted_retryable(data: Path, grpc_backend: GrpcBackend) -> None:
    grpc_backend.fails = lambda _: (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", 0.02) if len(grpc_backend.asked) < 3 else None
    forward = over_grpc(grpc_backend.port)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["retried"] == 2
    assert names(grpc_backend.taken) == ["a"]


def test_a_partial_success_is_not_sent_again(data: Path, backend: HttpBackend, grpc_backend: GrpcBackend) -> None:
    response = TRACES.response()
    response.partial_success.rejected_spans = 1
    response.partial_success.error_message = "one of them"
    backend.answer = lambda _: HttpAnswer(200, response.SerializeToString())
    grpc_backend.response = response.SerializeToString()
    for forward, asked in ((over_http(backend.url), backend.asked), (over_grpc(grpc_backend.port), grpc_backend.asked)):
        ready(data, forward)
        sealed(data, spans("a", "b", "c"))
        status = forward_all(data, forward)
        assert (status.counts["sent"], status.counts["rejected"], len(asked)) == (2, 1, 1)
        for path in exporter_folder(data, ID).glob("cursor.json"):
            path.unlink()


def test_a_token_that_expired_costs_no_record(data: Path, backend: HttpBackend) -> None:
    """It says nothing about the records: they wait until the operator has put it right."""
    forward = over_http(backend.url)
    ready(data, forward)
    backend.answer = lambda _: HttpAnswer(401 if len(backend.asked) < 4 else 200)
    sealed(data, spans("a"))
    status = forward_all(data, forward)
    assert (names(backend.taken), status.counts["retried"], status.counts.get("rejected", 0)) == (["a"], 3, 0)


def test_a_limit_of_time_or_no_retries_at_all_are_kept_to(data: Path, backend: HttpBackend) -> None:
    backend.answer = lambda _: HttpAnswer(503)
    for retry in ({"enabled": False}, {"initial_interval": "5ms", "max_elapsed_time": "20ms"}):
        forward = over_http(backend.url, retry_on_failure=retry)
        ready(data, forward)
        sealed(data, spans("a"))
        forward_all(data, forward)
    assert Cursor(exporter_folder(data, ID)).counts["rejected"] == 2
