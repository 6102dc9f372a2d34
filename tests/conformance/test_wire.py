"""Both protocols, both encodings, every compression, and what success looks like."""

import gzip
import http.client
import json
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import grpc
import pyarrow as pa
import pytest

from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.conformance.requirements import shows
from tests.conformance.target import JSON, MAX_BODY_BYTES, PROTOBUF, Target, a_body, a_request, failure, head, ours, status_of

EVERY_SIGNAL = pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
JSON_REQUESTS = {
    "traces": {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "json"}]}]}]},
    "logs": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"eventName": "json"}]}]}]},
    "metrics": {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "json", "gauge": {"dataPoints": [{"asInt": "1"}]}}]}]}]},
}


@shows("grpc-services", "success", "no-compression")
@EVERY_SIGNAL
def test_grpc(target: Target, signal: Signal) -> None:
    answer = target.call(signal, a_body(signal, "wire grpc"))
    assert not answer.HasField("partial_success")


@shows("http-paths", "both-encodings", "response-content-type", "success", "no-compression")
@EVERY_SIGNAL
def test_http_protobuf(target: Target, signal: Signal) -> None:
    answer = target.post(signal, a_body(signal, "wire protobuf"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert not signal.response.FromString(answer.content).HasField("partial_success")


@shows("http-paths", "both-encodings", "response-content-type", "json-success")
@EVERY_SIGNAL
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_http_json(target: Target, signal: Signal, content_type: str) -> None:
    answer = target.post(signal, json.dumps(JSON_REQUESTS[signal.name]).encode(), {"content-type": content_type})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "application/json")
    assert answer.json() == {}


@shows("keep-alive")
def test_a_connection_is_used_for_many_requests(target: Target) -> None:
    """Also for refused ones."""
    address = urlsplit(target.http_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    connection.connect()
    one = connection.sock
    for body, status in ((a_body(TRACES, "kept"), 200), (b"\x0a\x05", 400), (a_body(TRACES, "kept too"), 200)):
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, status == 400)
        assert connection.sock is one
    connection.close()


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


COMPRESSIONS: list[tuple[str, Callable[[bytes], bytes]]] = [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd)]


@shows("gzip", "deflate", "zstd")
@EVERY_SIGNAL
@pytest.mark.parametrize(("coding", "compress"), COMPRESSIONS, ids=[name for name, _ in COMPRESSIONS])
def test_http_compressed(target: Target, signal: Signal, coding: str, compress: Callable[[bytes], bytes]) -> None:
    for headers, body in ((PROTOBUF, a_body(signal, "wire compressed")), (JSON, json.dumps(JSON_REQUESTS[signal.name]).encode())):
        assert target.post(signal, compress(body), {**headers, "content-encoding": coding}).status_code == 200


@shows("gzip", "deflate")
@EVERY_SIGNAL
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate], ids=["gzip", "deflate"])
def test_grpc_compressed(target: Target, signal: Signal, compression: grpc.Compression) -> None:
    body = a_body(signal, "wire compressed " * 100)
    assert target.call(signal, body, compression=compression) == signal.response()


@shows("size-limit", "bombs", "no-retry", "status-body")
@pytest.mark.parametrize(
    ("headers", "coding", "compress"),
    [
        (PROTOBUF, "gzip", gzip.compress),
        (JSON, "gzip", lambda data: gzip.compress(data, 1)),
        (PROTOBUF, "deflate", lambda data: zlib.compress(data, 1)),
        (JSON, "zstd", zstd),
    ],
    ids=["protobuf-gzip", "json-gzip", "protobuf-deflate", "json-zstd"],
)
def test_http_bodies_are_bounded_after_decompression(
    target: Target, headers: dict[str, str], coding: str, compress: Callable[[bytes], bytes]
) -> None:
    """A bomb of more than the limit is a body of some kilobytes."""
    answer = target.post(TRACES, compress(bytes(MAX_BODY_BYTES + 1)), {**headers, "content-encoding": coding})
    assert (answer.status_code, answer.headers["content-type"]) == (413, headers["content-type"])
    assert "retry-after" not in answer.headers
    code, message = status_of(answer)
    assert code == 8
    assert "bytes" in message


@shows("size-limit")
def test_http_bodies_that_announce_too_much_are_refused_unread(target: Target) -> None:
    answer = target.raw(head("/v1/traces", f"Content-Length: {1 << 40}", content_type="application/json") + b"{")
    assert answer is not None
    assert answer.status == 413
    assert status_of(answer)[0] == 8


@shows("size-limit", "bombs", "no-retry")
def test_grpc_messages_are_bounded_after_decompression(target: Target) -> None:
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
        found = failure(target, TRACES, bytes(MAX_BODY_BYTES + 1), compression=compression)
        assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not found.status.details, "without RetryInfo, it is not sent again"


@shows("partial-success")
def test_what_is_rejected_is_counted_and_explained(target: Target) -> None:
    """The rest is stored."""
    message = a_request(TRACES, "partly")
    message.resource_spans[0].scope_spans[0].spans.add(name="without ids")
    body = message.SerializeToString()
    over_http = TRACES.response.FromString(target.post(TRACES, body).content).partial_success
    over_grpc = target.call(TRACES, body).partial_success
    for told in (over_http, over_grpc):
        assert (told.rejected_spans, "trace_id" in told.error_message) == (1, True)
    assert len(target.rows("SELECT name FROM {spans} WHERE name IN ('partly', 'without ids')", 1)) == 1


@shows("partial-success")
def test_partial_success_in_json_has_its_names(target: Target) -> None:
    spans = [{"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "whole"}, {"name": "without ids"}]
    answer = target.post(TRACES, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(), JSON)
    told = answer.json()["partialSuccess"]
    assert (answer.status_code, int(told["rejectedSpans"]), bool(told["errorMessage"])) == (200, 1, True)


@shows("warning")
def test_a_warning_rejects_nothing(target: Target) -> None:
    """Ids of links that are none are left out; the span is stored."""
    ours(target)
    message = a_request(TRACES, "warned")
    message.resource_spans[0].scope_spans[0].spans[0].links.add(trace_id=b"none", span_id=b"none")
    told = target.call(TRACES, message.SerializeToString()).partial_success
    assert (told.rejected_spans, "left out" in told.error_message) == (0, True)
    answer = target.post(TRACES, message.SerializeToString())
    assert TRACES.response.FromString(answer.content).partial_success == told


@shows("empty")
@EVERY_SIGNAL
def test_an_empty_request_succeeds(target: Target, signal: Signal) -> None:
    assert target.call(signal, b"") == signal.response()
    assert target.post(signal, b"").status_code == 200
    assert target.post(signal, b"{}", JSON).json() == {}
    assert target.post(signal, gzip.compress(b""), {**PROTOBUF, "content-encoding": "gzip"}).status_code == 200


@shows("resend")
@pytest.mark.parametrize("signal", [TRACES, LOGS, METRICS], ids=lambda signal: signal.name)
def test_a_request_that_is_sent_again_is_stored_once(target: Target, signal: Signal) -> None:
    """Over any protocol and encoding; every answer is success."""
    ours(target)
    body = a_body(signal, f"resent {signal.name}")
    for _ in range(2):
        assert target.post(signal, body).content == b""
        assert target.call(signal, body) == signal.response()
    assert target.post(signal, gzip.compress(body), {**PROTOBUF, "content-encoding": "gzip"}).status_code == 200
    marker = f"after {signal.name}"
    target.call(signal, a_body(signal, marker))
    table, column = {"traces": ("{spans}", "name"), "logs": ("{events}", "event_name"), "metrics": ("{metrics}", "metric_name")}[
        signal.name
    ]
    assert target.rows(f"SELECT 1 FROM {table} WHERE {column} = '{marker}'", 1)
    assert len(target.rows(f"SELECT 1 FROM {table} WHERE {column} = 'resent {signal.name}'", 1)) == 1
