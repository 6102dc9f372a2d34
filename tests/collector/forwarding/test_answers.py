"""What an answer means: retried, refused for good, too large, or taken in part (OTLP 1.11)."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from collector.forwarding.answers import LONGEST_WAIT_SECONDS, Kind, delivered, grpc_answer, http_answer, retry_after
from collector.signals import SIGNALS, TRACES

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((200, 202, 204), Kind.DELIVERED),
        ((429, 502, 503, 504), Kind.RETRY),
        ((301, 302, 303, 307, 308, 401, 403, 407), Kind.RETRY),
        ((413,), Kind.TOO_LARGE),
        ((400, 404, 405, 408, 415, 422, 500, 501), Kind.REFUSED),
    ],
)
def test_every_http_status_has_its_meaning(statuses: tuple[int, ...], kind: Kind) -> None:
    for status in statuses:
        assert http_answer(TRACES, status, {}, b"", NOW).kind is kind, status


def test_every_grpc_code_has_its_meaning() -> None:
    retried = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
    held = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
    for code in grpc.StatusCode:
        expected = Kind.RETRY if code.name in retried | held else Kind.REFUSED
        assert grpc_answer(code, "", ()).kind is expected, code


@pytest.mark.parametrize(
    "details",
    ["grpc: received message larger than max (5 vs. 4)", "SERVER: Received message larger than max", "the body is larger than 1 bytes"],
)
def test_a_message_that_was_too_large_is_told_from_a_quota(details: str) -> None:
    assert grpc_answer(grpc.StatusCode.RESOURCE_EXHAUSTED, details, ()).kind is Kind.TOO_LARGE
    assert grpc_answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota used up", ()).kind is Kind.REFUSED


def retry_info(seconds: int) -> Any:
    status = status_pb2.Status(code=8)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds)))
    return (("other", "x"), ("grpc-status-details-bin", status.SerializeToString()))


def test_retry_info_says_when_and_whether() -> None:
    answer = grpc_answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than", retry_info(7))
    assert (answer.kind, answer.retry_seconds) == (Kind.RETRY, 7)
    assert grpc_answer(grpc.StatusCode.UNAVAILABLE, "", retry_info(10**6)).retry_seconds == LONGEST_WAIT_SECONDS
    assert grpc_answer(grpc.StatusCode.UNAVAILABLE, "", (("grpc-status-details-bin", b"\xff"),)).retry_seconds is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("Sat, 21 Nov 2026 12:00:09 GMT", 9),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("9" * 40, LONGEST_WAIT_SECONDS),
        ("soon", None),
        ("", None),
        ("-3", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
    assert http_answer(TRACES, 503, {"retry-after": value}, b"", NOW).retry_seconds == seconds


def test_a_partial_success_names_what_was_rejected_and_a_warning_rejects_nothing() -> None:
    for signal in SIGNALS.values():
        response = signal.response()
        response.partial_success.error_message = "a warning"
        assert (delivered(signal, response.SerializeToString()).rejected, delivered(signal, b"").rejected) == (0, 0)
        setattr(response.partial_success, signal.rejected_field, 3)
        assert delivered(signal, response.SerializeToString()).rejected == 3


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xff", b"<html>"])
def test_whatever_else_a_success_says_it_is_one(body: bytes) -> None:
    for content_type in ("application/x-protobuf", "application/json", "text/html", ""):
        answer = http_answer(TRACES, 200, {"content-type": content_type}, body, NOW)
        assert (answer.kind, answer.rejected) == (Kind.DELIVERED, 0)
