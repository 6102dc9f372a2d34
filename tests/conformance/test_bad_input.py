"""Input that is refused: the right status, a message that names the problem, in the encoding of the request, and nobody else harmed."""

import gzip
import json
import time
import zlib
from collections.abc import Mapping
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.rpc import status_pb2

from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.collector.served import Served
from tests.conformance.requirements import shows
from tests.conformance.target import JSON, PROTOBUF, Target, a_body, failure, head, ours, status_of

EVERY_SIGNAL = pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
SECRET = "c4nary" + "-of-input"  # what was sent is never repeated


def refused(
    target: Target, signal: Signal, body: bytes, headers: Mapping[str, str] = PROTOBUF, *, status: int = 400, says: str = ""
) -> None:
    """The request is refused like this over HTTP."""
    answer = target.post(signal, body, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, headers["content-type"])
    code, message = status_of(answer)
    assert code == {400: 3, 413: 8, 415: 3}[status]
    assert "retry-after" not in answer.headers
    assert SECRET not in message
    if target.collector is not None:
        assert says in message, message


def refused_everywhere(target: Target, signal: Signal, body: bytes, says: str) -> None:
    """The same over gRPC, too."""
    refused(target, signal, body, says=says)
    found = failure(target, signal, body)
    assert (found.code, found.status.code, list(found.status.details)) == (grpc.StatusCode.INVALID_ARGUMENT, 3, [])
    assert found.message == found.status.message
    assert SECRET not in found.message
    if target.collector is not None:
        assert says in found.message


@shows("truncated", "bad-data", "status-body", "no-retry")
@EVERY_SIGNAL
@pytest.mark.parametrize("missing", [1, 5, 20])
def test_truncated_protobuf(target: Target, signal: Signal, missing: int) -> None:
    refused_everywhere(target, signal, a_body(signal, SECRET)[:-missing], "are left" if signal is not METRICS or missing > 1 else "")


@shows("wire-types", "bad-data")
@EVERY_SIGNAL
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"\x08\x01", "wrong wire type"),
        (b"\x0d\x01\x02\x03\x04", "wrong wire type"),
        (b"\x0a\x02\x10\x01", "wrong wire type"),
        (b"\x0b\x0c", "wrong wire type"),
        (b"\x0e", "no valid tag"),
        (b"\x0c", "no valid tag"),
        (b"\x00\x00", "no valid tag"),
    ],
    ids=["varint", "fixed32", "of an inner field", "group", "of no type", "end of no group", "of no field"],
)
def test_wrong_wire_types(target: Target, signal: Signal, body: bytes, says: str) -> None:
    refused_everywhere(target, signal, body, says)


@shows("length-prefix", "bad-data")
@EVERY_SIGNAL
@pytest.mark.parametrize("prefix", [b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"], ids=["2 GB", "2 EB"])
def test_length_prefixes_beyond_the_body(target: Target, signal: Signal, prefix: bytes) -> None:
    refused_everywhere(target, signal, b"\x0a" + prefix, "announces")


@shows("utf-8", "bad-data")
def test_invalid_utf_8_in_protobuf(target: Target) -> None:
    for signal, field in ((TRACES, "Span.name"), (LOGS, "LogRecord.event_name"), (METRICS, "Metric.name")):
        refused_everywhere(target, signal, a_body(signal, "text").replace(b"text", b"\xff\xfe\xc0\x80", 3), field)


@shows("utf-8", "broken-json", "bad-data")
@pytest.mark.parametrize(
    "body",
    [b'{"resourceSpans": "\xff"}', b'{"a": "\\ud800"}', b"\xef\xbb\xbf{}", "{}".encode("utf-16")],
    ids=["byte", "lone surrogate", "byte order mark", "UTF-16"],
)
def test_json_that_is_not_utf_8(target: Target, body: bytes) -> None:
    refused(target, TRACES, body, JSON, says="not valid JSON")


@shows("deep-json", "bad-data")
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"resourceSpans":[', b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":['])
def test_json_nested_10_000_deep(target: Target, opening: bytes) -> None:
    refused(target, TRACES, opening * 10_000, JSON, says="depth limit")


@shows("deep-json", "nested-values")
@pytest.mark.parametrize("depth", [60, 300])
def test_values_nested_deeper_than_protobuf_reads(target: Target, depth: int) -> None:
    """In either encoding, the same limit."""
    ours(target)
    value: Any = {"stringValue": SECRET}
    inner = b"\x0a" + bytes([len(SECRET)]) + SECRET.encode()
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
        inner = _field(5, _field(1, inner))
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "attributes": [{"key": "k", "value": value}]}
    refused(target, TRACES, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(), JSON, says="nested deeper")
    attribute = _field(9, _field(1, b"k") + _field(2, inner))
    refused_everywhere(target, TRACES, _field(1, _field(2, _field(2, attribute))), "nested deeper")


def _field(number: int, data: bytes) -> bytes:
    size, prefix = len(data), b""
    while size >= 0x80:
        prefix, size = prefix + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + prefix + bytes([size]) + data


@shows("json-nan", "broken-json", "bad-data")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "0x10", "01", '"nan"', '"inf"', '"1_0"'])
def test_numbers_that_json_does_not_know(target: Target, number: str) -> None:
    point = '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asDouble":%s}]}}]}]}]}'
    refused(target, METRICS, (point % number).encode(), JSON, says="as_double" if number.startswith('"') else "not valid JSON")


@shows("broken-json", "bad-data", "status-body")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not valid JSON"),
        ("{", "line 1, column"),
        ("[]", "ExportTraceServiceRequest must be a JSON object"),
        ("null", "must be a JSON object"),
        (f'"{SECRET}"', "must be a JSON object"),
        ('{"resourceSpans": {}}', "resource_spans must be a JSON array"),
        ('{"resourceSpans": [[]]}', "ResourceSpans must be a JSON object"),
        (f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{SECRET}"}}]}}]}}]}}', "Span.trace_id has a value of the wrong type"),
        ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"-1"}]}]}]}', "Span.start_time_unix_nano"),
        ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":18446744073709551616}]}]}]}', "Span.start_time_unix_nano"),
        ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":1.5}]}]}]}', "Span.start_time_unix_nano"),
        (f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"kind":"{SECRET}"}}]}}]}}]}}', "Span.kind"),
        ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":{"bytesValue":"!"}}]}]}]}]}', "AnyValue.bytes_value"),
        ("{} {}", "unexpected content after document"),
    ],
)
def test_json_that_is_not_the_message(target: Target, body: str, says: str) -> None:
    refused(target, TRACES, body.encode(), JSON, says=says)


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


@shows("trailing-garbage", "bad-data")
@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstd)])
def test_broken_compression(target: Target, headers: dict[str, str], coding: str, compress: Any) -> None:
    whole, named = compress(b"{}" if headers is JSON else a_body(TRACES, SECRET)), {**headers, "content-encoding": coding}
    for body, says in ((whole + b"garbage", "garbage"), (whole[:-2], "too early"), (b"", "too early"), (b"no such data", coding)):
        refused(target, TRACES, body, named, says=says)


@shows("trailing-garbage")
def test_broken_compression_over_grpc(target: Target) -> None:
    """What begins like gzip is gzip: no message of OTLP does."""
    ours(target)
    whole = gzip.compress(a_body(TRACES, SECRET))
    for body, says in ((whole + b"garbage", "garbage"), (whole[:-2], "too early"), (whole[:15] + b"0000000000", "gzip")):
        found = failure(target, TRACES, body)
        assert (found.code, says in found.message) == (grpc.StatusCode.INVALID_ARGUMENT, True)


@shows("unknown-encoding", "media-type", "status-body")
@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
@pytest.mark.parametrize("coding", ["br", "compress", "snappy", "lz4", "gzip, gzip", SECRET, "gzip;q=1"])
def test_unknown_content_encodings(target: Target, headers: dict[str, str], coding: str) -> None:
    refused(target, TRACES, b"{}", {**headers, "content-encoding": coding}, status=415, says="must be one of identity, gzip")
    answer = target.post(TRACES, b"{}", {**headers, "content-encoding": coding})
    assert "gzip" in answer.headers["accept-encoding"], "what would be taken"


@shows("unknown-encoding", "media-type", "status-body")
@pytest.mark.parametrize("content_type", ["text/plain", "", "application/grpc", "application/x-www-form-urlencoded", "a" * 5000])
def test_unknown_content_types_are_answered_in_json(target: Target, content_type: str) -> None:
    answer = target.post(TRACES, b"{}", {"content-type": content_type})
    assert answer.status_code == 415
    code, message = status_of(answer)
    assert (code, "Content-Type" in message) == (3, True)


@shows("media-type")
def test_no_content_type_at_all(target: Target) -> None:
    answer = target.raw(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert answer is not None
    assert (answer.status, status_of(answer)[0]) == (415, 3)


@shows("not-found", "status-body")
@pytest.mark.parametrize("path", ["/", "/v1/profiles", "/v1/traces/", "/v1/traces/..", "/%2e%2e/etc", "//v1/traces", f"/{SECRET}"])
@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_unknown_paths(target: Target, path: str, headers: dict[str, str]) -> None:
    answer = target.client.post(path, content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (404, headers["content-type"])
    code, message = status_of(answer)
    assert code == 5
    assert SECRET not in message


@shows("not-found")
@pytest.mark.parametrize(
    "method", ["/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", f"/{TRACES.grpc_service}/Import", "/x"]
)
def test_unknown_services_and_methods(target: Target, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        target.channel.unary_unary(method)(b"", timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@shows("method", "status-body")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_other_methods(target: Target, method: str, headers: dict[str, str]) -> None:
    answer = target.client.request(method, "/v1/traces", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (405, headers["content-type"])
    assert "POST" in answer.headers["allow"]
    assert status_of(answer)[0] == 12


@shows("method")
def test_head_is_answered_without_a_body(target: Target) -> None:
    answer = target.client.head("/v1/traces")
    assert (answer.status_code, answer.content) == (405, b"")


@shows("bad-ids", "partial-success")
@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"short", b"x" * 17, b"x" * 1000], ids=["none", "zero", "short", "long", "very long"])
def test_spans_with_bad_trace_ids_are_rejected_by_themselves(target: Target, trace_id: bytes) -> None:
    message = TRACES.request()
    message.resource_spans.add().scope_spans.add().spans.add(trace_id=trace_id, span_id=b"s" * 8, name=SECRET)
    for answer in (target.call(TRACES, message.SerializeToString()), TRACES.response.FromString(_posted(target, message))):
        assert (answer.partial_success.rejected_spans, "trace_id" in answer.partial_success.error_message) == (1, True)


@shows("bad-ids", "partial-success")
@pytest.mark.parametrize(("span_id", "parent"), [(b"", b""), (bytes(8), b""), (b"short", b""), (b"s" * 8, b"short")])
def test_spans_with_bad_span_ids_are_rejected_by_themselves(target: Target, span_id: bytes, parent: bytes) -> None:
    message = TRACES.request()
    message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=span_id, parent_span_id=parent)
    told = target.call(TRACES, message.SerializeToString()).partial_success
    assert (told.rejected_spans, "span_id" in told.error_message) == (1, True)


@shows("bad-ids")
def test_log_records_need_no_ids(target: Target) -> None:
    """But those they have are ids."""
    message = LOGS.request()
    records = message.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="without ids")
    records.add(event_name="zero ids", trace_id=bytes(16), span_id=bytes(8))
    records.add(event_name="bad ids", trace_id=b"bad")
    assert target.call(LOGS, message.SerializeToString()).partial_success.rejected_log_records == 1


def _posted(target: Target, message: Any) -> bytes:
    return target.post(TRACES, message.SerializeToString()).content


@shows("overload-http", "overload-grpc", "no-retry")
def test_what_does_not_fit_beside_others_is_to_be_sent_again(target: Target) -> None:
    """One sender holds nearly all of the memory; others are told to come again, and are taken when it is gone."""
    ours(target)
    held, large = bytes(23 << 20), bytes(11 << 20)  # which are no messages: refused in another way where there is room
    deadline = time.monotonic() + 60
    answer, found = target.post(TRACES, large), None
    while found is None and time.monotonic() < deadline:  # a body that is held for too long is given up: then again
        with target.connection() as holder:
            holder.sendall(head("/v1/traces", f"Content-Length: {len(held) + 1}"))
            holder.sendall(held)
            answer = target.post(TRACES, large)
            if answer.status_code == 429:
                found = failure(target, TRACES, large)
                assert target.post(TRACES, a_body(TRACES, "small")).status_code == 200, "what fits is taken"
    assert (answer.status_code, answer.headers["retry-after"].isdigit(), status_of(answer)[0]) == (429, True, 8)
    assert found is not None
    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [detail.TypeName() for detail in found.status.details] == ["google.rpc.RetryInfo"]
    while target.post(TRACES, large).status_code == 429:
        assert time.monotonic() < deadline, "what was held is given back"


@shows("store-failed", "overload-http", "overload-grpc")
def test_what_could_not_be_stored_is_to_be_sent_again() -> None:
    """Receivers over a disk that fails: nothing is acknowledged, and no partial success pretends otherwise."""
    served = Served()
    served.writer.fails = True
    for signal in SIGNALS.values():
        answer = served.post(f"/v1/{signal.name}", a_body(signal, "over HTTP"), PROTOBUF)
        assert (answer.status_code, answer.headers["retry-after"].isdigit(), status_of(answer)[0]) == (503, True, 14)
        with pytest.raises(grpc.RpcError) as caught:
            served.call(signal, a_body(signal, "over gRPC"))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        status = status_pb2.Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
        assert [detail.TypeName() for detail in status.details] == ["google.rpc.RetryInfo"]
    served.close()
