"""OTLP over real sockets: the official exporters, both protocols and encodings, and every way to be refused."""

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collector.admission import MEMORY_PER_BYTE
from collector.errors import PortTaken
from collector.listening import Listeners
from collector.receivers.grpc import GrpcLimits
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from tests.collector.served import CONFIG, LIMIT_BYTES, PROTOBUF, Served, a_trace, config, exchange

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pb"))
JSON = {"content-type": "application/json"}


@pytest.fixture
def served() -> Iterator[Served]:
    """Receivers of one test alone."""
    running = Served()
    yield running
    running.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """Receivers that several tests send to: none of them may harm the others."""
    running = Served()
    yield running
    running.close()


def a_json_trace() -> bytes:
    span = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "json"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_official_http_exporter(served: Served, compression: Compression) -> None:
    export_spans(HttpSpanExporter(endpoint=f"{served.url}/v1/traces", compression=compression, timeout=5))
    assert sum(header.records for header, _ in served.batches) == 2


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_official_grpc_exporter(served: Served, compression: grpc.Compression) -> None:
    export_spans(GrpcSpanExporter(endpoint=served.target, insecure=True, compression=compression, timeout=5))
    assert sum(header.records for header, _ in served.batches) == 2


def export_spans(exporter: Any) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner") as span:
        span.set_attribute("text", "a canary")
    provider.shutdown()


def signal_of(capture: Path) -> Signal:
    return SIGNALS[capture.stem.rpartition("-")[2]]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_every_capture_is_accepted_whole(served: Served, protocol: str) -> None:
    for capture in CAPTURES:
        body, signal = capture.read_bytes(), signal_of(capture)
        if protocol == "http":
            answer = served.post(f"/v1/{signal.name}", body, PROTOBUF)
            assert (answer.status_code, answer.content) == (200, b""), capture.name
        else:
            assert not served.call(signal, body).HasField("partial_success"), capture.name
    assert len(served.batches) == len(CAPTURES) >= 20


def test_json_and_protobuf_answers_have_the_content_type_of_the_request(shared: Served) -> None:
    answer = shared.post("/v1/traces", a_json_trace(), {"content-type": "application/json; charset=utf-8"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"{}", "application/json")
    answer = shared.post("/v1/traces", a_trace(), PROTOBUF)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"", "application/x-protobuf")


def test_an_empty_request_succeeds_for_every_signal(shared: Served) -> None:
    for signal in SIGNALS.values():
        assert shared.post(f"/v1/{signal.name}", b"", PROTOBUF).status_code == 200
        assert shared.post(f"/v1/{signal.name}", b"{}", JSON).content == b"{}"
        assert shared.call(signal, b"") == signal.response()


def test_partial_success_over_both_protocols(shared: Served) -> None:
    message = TRACES.request.FromString(a_trace())
    message.resource_spans[0].scope_spans[0].spans.add(name="without ids")
    body = message.SerializeToString()
    answer = TRACES.response.FromString(shared.post("/v1/traces", body, PROTOBUF).content)
    assert answer.partial_success.rejected_spans == shared.call(TRACES, body).partial_success.rejected_spans == 1


Change = Callable[[Served], httpx.Response]
GZIP = {**PROTOBUF, "content-encoding": "gzip"}
REFUSALS: list[tuple[str, int, int, Change]] = [
    ("truncated protobuf", 400, 3, lambda shared: shared.post("/v1/traces", a_trace()[:-3], PROTOBUF)),
    ("a length prefix of 2 GB", 400, 3, lambda shared: shared.post("/v1/traces", b"\x0a\xff\xff\xff\xff\x07", PROTOBUF)),
    ("invalid JSON", 400, 3, lambda shared: shared.post("/v1/logs", b"{", JSON)),
    ("JSON nested 10,000 deep", 400, 3, lambda shared: shared.post("/v1/logs", b'{"a":' * 10_000, JSON)),
    ("no gzip at all", 400, 3, lambda shared: shared.post("/v1/traces", b"hello", GZIP)),
    ("gzip with trailing garbage", 400, 3, lambda shared: shared.post("/v1/traces", gzip.compress(a_trace()) + b"x", GZIP)),
    ("invalid UTF-8", 400, 3, lambda shared: shared.post("/v1/traces", a_trace("spam").replace(b"spam", b"\xff\xff\xff\xff"), PROTOBUF)),
    ("unknown path", 404, 5, lambda shared: shared.post("/v1/profiles", b"", PROTOBUF)),
    ("GET", 405, 12, lambda shared: httpx.get(shared.url + "/v1/traces", headers=PROTOBUF)),
    ("a large body", 413, 8, lambda shared: shared.post("/v1/traces", bytes(LIMIT_BYTES + 1), PROTOBUF)),
    ("a gzip bomb", 413, 8, lambda shared: shared.post("/v1/traces", gzip.compress(bytes(64 << 20)), GZIP)),
    ("an unknown encoding", 415, 3, lambda shared: shared.post("/v1/traces", b"", {**PROTOBUF, "content-encoding": "br"})),
]


@pytest.mark.parametrize(("status", "code", "send"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refusals_over_http_are_a_status_in_the_encoding_of_the_request(shared: Served, status: int, code: int, send: Change) -> None:
    answer = send(shared)
    assert answer.status_code == status
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["code"] == code
    else:
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert status_pb2.Status.FromString(answer.content).code == code
    assert shared.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200, "nothing else is harmed"


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/grpc"])
def test_an_unknown_content_type_is_415_with_a_readable_status(shared: Served, content_type: str) -> None:
    answer = shared.post("/v1/traces", b"", {"content-type": content_type})
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (415, "application/json", 3)


def test_405_names_the_allowed_method(shared: Served) -> None:
    assert httpx.get(shared.url + "/v1/traces", headers=JSON).headers["allow"] == "POST"


def grpc_failure(call: Callable[[], Any]) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_refusals_over_grpc(shared: Served) -> None:
    failure = grpc_failure(lambda: shared.call(TRACES, a_trace()[:-3]))
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert grpc_failure(lambda: shared.call(TRACES, bytes(LIMIT_BYTES + 1))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with grpc.insecure_channel(shared.target, compression=grpc.Compression.Gzip) as channel:
        bomb = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
        failure = grpc_failure(lambda: bomb(bytes(32 << 20), timeout=10))
    assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not details(failure).details, "not to be retried"
    with grpc.insecure_channel(shared.target) as channel:
        unknown = channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
        assert grpc_failure(lambda: unknown(b"", timeout=10)).code() is grpc.StatusCode.UNIMPLEMENTED
    assert shared.call(TRACES, a_trace()) == TRACES.response()


def details(failure: Any) -> status_pb2.Status:
    return status_pb2.Status.FromString(dict(failure.trailing_metadata())["grpc-status-details-bin"])


def test_a_failed_wal_is_retryable_over_both_protocols(served: Served) -> None:
    served.writer.fails = True
    for name in ("a", "b"):
        answer = served.post("/v1/traces", a_trace(name), PROTOBUF)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        failure = grpc_failure(lambda name=name: served.call(TRACES, a_trace(name)))
        assert failure.code() is grpc.StatusCode.UNAVAILABLE
        retry = error_details_pb2.RetryInfo()
        assert details(failure).details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 5


def test_too_much_in_flight_is_retryable_over_both_protocols() -> None:
    limited = CONFIG.replace("redaction: {}", "redaction: {}\n  memory_limiter: {limit_mib: 1, spike_limit_mib: 0}")
    limited = limited.replace("processors: [redaction]", "processors: [memory_limiter, redaction]")
    served = Served(limited)
    body = a_trace("x" * (LIMIT_BYTES // MEMORY_PER_BYTE))
    assert served.post("/v1/traces", body, PROTOBUF).status_code == 413, "one that never fits is too large: not to be retried"
    failure = grpc_failure(lambda: served.call(TRACES, body))
    assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(failure.trailing_metadata()), "one that never fits is too large: not to be retried"
    with served.listeners._limiter.reserve() as others:
        others.grow_to(LIMIT_BYTES // 2, 1)
        failure = grpc_failure(lambda: served.call(TRACES, body[: LIMIT_BYTES // 5]))
        answer = served.post("/v1/traces", body[: LIMIT_BYTES // 5], PROTOBUF)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(failure).details
    assert served.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200, "what a refused request held is given back"
    served.close()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpc_takes_every_compression(shared: Served, compression: grpc.Compression) -> None:
    with grpc.insecure_channel(shared.target, compression=compression) as channel:
        export = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
        assert export(a_trace("compressed " * 100), timeout=10) == b""
        assert export(b"", timeout=10) == b""


def test_a_grpc_message_is_inflated_only_as_far_as_there_is_room() -> None:
    """What gRPC would inflate by itself, nobody could have reserved."""
    limited = CONFIG.replace("redaction: {}", "redaction: {}\n  memory_limiter: {limit_mib: 3, spike_limit_mib: 0}")
    served = Served(limited.replace("processors: [redaction]", "processors: [memory_limiter, redaction]"))
    with served.listeners._limiter.reserve() as others:
        others.grow_to(2 * LIMIT_BYTES, 1)
        with grpc.insecure_channel(served.target, compression=grpc.Compression.Gzip) as channel:
            bomb = channel.unary_unary(f"/{TRACES.grpc_service}/Export")
            failure = grpc_failure(lambda: bomb(bytes(LIMIT_BYTES * 2 // 3), timeout=10))
    assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(failure).details, "to be sent again"
    assert served.listeners._limiter.in_flight_bytes == 0
    served.close()


def test_places_for_receiving_follow_from_the_memory_limit() -> None:
    large, small = 64 << 20, 1 << 20
    assert GrpcLimits.within(None, message_bytes=large, seconds=1) == GrpcLimits(message_bytes=large, receiving=64, seconds=1)
    assert GrpcLimits.within(768 << 20, message_bytes=large, seconds=1) == GrpcLimits(message_bytes=large, receiving=6, seconds=1)
    assert GrpcLimits.within(96 << 20, message_bytes=large, seconds=1) == GrpcLimits(message_bytes=32 << 20, receiving=4, seconds=1)
    assert GrpcLimits.within(768 << 20, message_bytes=small, seconds=1).receiving == 64


def test_senders_over_grpc_wait_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never sends its message does not keep a place for ever, and others are told to come again."""
    monkeypatch.setattr("collector.listening.BODY_SECONDS", 0.5)
    monkeypatch.setattr("collector.receivers.grpc.MOST_RECEIVING", 1)
    served = Served()
    with grpc.insecure_channel(served.target) as channel:
        never = threading.Event()
        stalled = channel.stream_unary(f"/{TRACES.grpc_service}/Export").future(iter(lambda: never.wait(5) or b"", b"x"), timeout=10)
        failure = grpc_failure(stalled.result)
        assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        never.set()
    assert served.call(TRACES, a_trace()) == TRACES.response()
    served.close()


def flood(served: Served, start: bytes, line: bytes) -> int:
    """Send `start` and then `line` after `line` in a chunked request until the connection is cut; return the bytes that were taken."""
    with socket.create_connection(("127.0.0.1", served.listeners.ports.http or 0)) as connection:
        head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + start)
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 64 << 20:
                connection.sendall(line)
                sent += len(line)
        return sent


@pytest.mark.parametrize("start", [b"0\r\n", b"1;"])
def test_trailers_and_chunk_extensions_are_bounded_like_heads(shared: Served, start: bytes) -> None:
    line = b"x-abc: " + b"y" * 60_000 + (b"\r\n" if start.endswith(b"\n") else b"")
    assert flood(shared, start, line) < 32 << 20
    assert shared.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200


def test_a_signal_without_a_pipeline_is_not_taken() -> None:
    served = Served("\n".join(line for line in CONFIG.splitlines() if not line.strip().startswith("metrics:")))
    assert served.post("/v1/metrics", b"", PROTOBUF).status_code == 404
    assert grpc_failure(lambda: served.call(METRICS, b"")).code() is grpc.StatusCode.UNIMPLEMENTED
    assert served.post("/v1/logs", b"", PROTOBUF).status_code == 200
    served.close()


def test_http_1_0_chunked_bodies_and_expect_continue(shared: Served) -> None:
    body = a_trace()
    head = b"Host: a\r\nContent-Type: application/x-protobuf\r\n"
    length = b"Content-Length: %d\r\n" % len(body)
    assert b" 200 " in exchange(shared, b"POST /v1/traces HTTP/1.0\r\n" + head + length + b"\r\n" + body)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answer = exchange(shared, b"POST /v1/traces HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", chunks)
    assert b" 200 " in answer
    answer = exchange(shared, b"POST /v1/traces HTTP/1.1\r\n" + head + length + b"Expect: 100-continue\r\nConnection: close\r\n\r\n", body)
    assert answer.startswith(b"HTTP/1.1 100 ")
    assert b" 200 " in answer


def http_with(keys: str) -> str:
    """The configuration with more keys of the HTTP receiver."""
    return CONFIG.replace("max_request_body_size: 1048576", f"max_request_body_size: 1048576, {keys}")


def test_a_head_that_is_late_or_too_long_is_answered_and_costs_the_connection() -> None:
    served = Served(http_with("read_header_timeout: 300ms"))
    assert exchange(served, b"") == b""
    late = exchange(served, b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nHost")
    assert late.startswith(b"HTTP/1.1 408 ")
    assert status_pb2.Status.FromString(late.partition(b"\r\n\r\n")[2]).code == 4
    with contextlib.suppress(ConnectionError):
        assert exchange(served, b"POST / HTTP/1.1\r\n", b"A: b\r\n" * 25_000).startswith(b"HTTP/1.1 431 ")
    assert served.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200
    served.close()


def test_a_body_that_is_late_is_408() -> None:
    served = Served(http_with("read_timeout: 300ms"))
    answer = exchange(served, b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in answer
    assert b'"code":4' in answer
    served.close()


def test_connections_beyond_the_limit_are_closed_and_the_others_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.listening.max_connections", lambda: 10)  # of both protocols together
    served = Served()
    port = served.listeners.ports.http or 0
    connections = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(5)]
    assert exchange(served, b"") == b""
    connections.pop().close()
    deadline = time.monotonic() + 5
    status = 0
    while status != 200 and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            status = served.post("/v1/traces", a_trace(), PROTOBUF).status_code
    assert status == 200
    for connection in connections:
        connection.close()
    served.close()


def test_a_sender_that_goes_away_in_the_middle_harms_nothing(shared: Served) -> None:
    with socket.create_connection(("127.0.0.1", shared.listeners.ports.http or 0)) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert shared.post("/v1/traces", a_trace(), PROTOBUF).status_code == 200


def test_health_has_a_state_per_component(served: Served) -> None:
    url = f"http://127.0.0.1:{served.listeners.ports.health}"
    answer = httpx.get(url + "/")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "components": {"wal": {"state": "ok"}}})
    assert httpx.get(url + "/ready").status_code == 200
    served.health["wal"] = "down: the disk is full"
    answer = httpx.get(url + "/")
    assert answer.status_code == 503
    assert answer.json()["components"]["wal"]["state"] == "down: the disk is full"
    assert httpx.get(url + "/elsewhere").status_code == 404


@pytest.mark.parametrize("which", ["http", "grpc", "health"])
def test_a_port_that_is_taken_is_one_clear_error_and_leaves_nothing_bound(which: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = "{}:{}".format(*taken.getsockname())
        line = {"http": "http: {endpoint:", "grpc": "grpc: {endpoint:", "health": "health_check: {endpoint:"}[which]
        listeners = Listeners(config(CONFIG.replace(f'{line} "127.0.0.1:0"', f'{line} "{endpoint}"')))

        async def bind() -> None:
            listeners.bind()

        with pytest.raises(PortTaken, match=f"{endpoint}.*change the endpoint"):
            asyncio.run(bind())
        assert all(bound.fileno() == -1 for bound in listeners._sockets.values())


def test_log_requests_with_audit_events_are_their_own_class(served: Served) -> None:
    message = LOGS.request()
    message.resource_logs.add().scope_logs.add().log_records.add(event_name="agent_action")
    served.post("/v1/logs", message.SerializeToString(), PROTOBUF)
    served.post("/v1/traces", a_trace(), PROTOBUF)
    taken = served.telemetry.take(1)
    assert taken is not None
    assert b"audit" in taken[0]
    assert b"bulk" in taken[0]
