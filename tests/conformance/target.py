"""The OTLP server under test: a collector that is started once, or any other one by URL.

`CONFORMANCE_HTTP_URL=http://host:4318 CONFORMANCE_GRPC_TARGET=host:4317 pytest tests/conformance` tests another server; tests that look
at what was stored, or that need a configuration, are skipped then.
"""

import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import duckdb
import grpc
import httpx
import pytest
from google.rpc import status_pb2

from collector.signals import SIGNALS, Message, Signal
from tests.collector_process import CollectorProcess

PROTOBUF: Final = {"content-type": "application/x-protobuf"}
JSON: Final = {"content-type": "application/json"}
OURS_MIB: Final = 24
"""Of our collector, so that what is too large is quickly made; other servers are taken to have the recommended 64 MiB."""
MAX_BODY_BYTES: Final = (64 if "CONFORMANCE_HTTP_URL" in os.environ else OURS_MIB) << 20
HEAD_SECONDS: Final = 2
BODY_SECONDS: Final = 4
MEMORY_MIB: Final = 100

CONFIG: Final = f"""
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:0", max_recv_msg_size_mib: {OURS_MIB}}}
      http:
        endpoint: "127.0.0.1:0"
        max_request_body_size: {OURS_MIB << 20}
        read_header_timeout: {HEAD_SECONDS}s
        read_timeout: {BODY_SECONDS}s
        idle_timeout: 10m
processors:
  memory_limiter: {{limit_mib: {MEMORY_MIB}, spike_limit_mib: 0}}
  redaction: {{}}
exporters:
  parquet: {{path: unused, seal_interval: 500ms, node: conformance}}
extensions:
  health_check: {{endpoint: "127.0.0.1:0"}}
service:
  extensions: [health_check]
  pipelines:
    traces: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
    logs: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
    metrics: {{receivers: [otlp], processors: [memory_limiter, redaction], exporters: [parquet]}}
"""


class Answer(NamedTuple):
    """An answer of HTTP/1, read from a plain socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Target:
    """Where requests are sent. `collector` is None when the server is not ours."""

    def __init__(self, http_url: str, grpc_target: str, collector: CollectorProcess | None = None) -> None:
        self.http_url = http_url.rstrip("/")
        self.grpc_target = grpc_target
        self.collector = collector
        self.client = httpx.Client(base_url=self.http_url, timeout=60)
        self.lake = duckdb.connect()
        self.channel = grpc.insecure_channel(grpc_target, options=[("grpc.max_send_message_length", -1)])

    def close(self) -> None:
        """Close what is kept open between tests."""
        self.client.close()
        self.lake.close()
        self.channel.close()

    def post(self, signal: Signal, content: bytes, headers: Mapping[str, str] = PROTOBUF) -> httpx.Response:
        """Send one request over HTTP, on a connection that is kept."""
        return self.client.post(f"/v1/{signal.name}", content=content, headers=dict(headers))

    def call(self, signal: Signal, body: bytes, **named: Any) -> Message:
        """Send one request over gRPC, on a connection that is kept."""
        export = self.channel.unary_unary(f"/{signal.grpc_service}/Export", response_deserializer=signal.response.FromString)
        return export(body, timeout=60, **named)

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """Open a plain connection to the HTTP port."""
        address = urlsplit(self.http_url)
        with socket.create_connection((address.hostname or "", address.port or 80), timeout=30) as connection:
            yield connection

    def raw(self, *pieces: bytes) -> Answer | None:
        """Send bytes over a connection of their own and return the answer, None when the connection is closed without one."""
        with self.connection() as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except ConnectionError:
                pass  # it may have answered before it closed
            return read_answer(connection)

    def rows(self, query: str, count: int, seconds: float = 30) -> list[tuple[Any, ...]]:
        """Return the rows of a query over the lake's files, as soon as there are `count`; `{spans}` … stand for the tables."""
        if self.collector is None:
            pytest.skip("what another server stored is not looked at")
        deadline = time.monotonic() + seconds
        found: list[tuple[Any, ...]] = []
        while time.monotonic() < deadline:
            found = self._read(self.collector.data, query)
            if len(found) >= count:
                break
            time.sleep(0.1)
        return found

    def _read(self, data: Path, query: str) -> list[tuple[Any, ...]]:
        tables = {name: f"read_parquet('{data}/data/{name}/**/*.parquet')" for name in ("spans", "events", "metrics")}
        try:
            return self.lake.sql(query.format(**tables)).fetchall()
        except duckdb.IOException:  # nothing sealed yet, or a file was compacted away meanwhile
            return []


def ours(target: Target) -> CollectorProcess:
    """Return the collector, or skip the test: it needs our configuration."""
    if target.collector is None:
        pytest.skip("depends on the configuration, which is not ours")
    return target.collector


def read_answer(connection: socket.socket) -> Answer | None:
    """Read one answer, past those that say 100; None when the connection is closed instead."""
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    except (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionError):
        return None


def head(path: str = "/v1/traces", *lines: str, content_type: str = "application/x-protobuf", version: str = "1.1") -> bytes:
    """Return the head of a POST request."""
    return "\r\n".join([f"POST {path} HTTP/{version}", "Host: test", f"Content-Type: {content_type}", *lines, "", ""]).encode()


def status_of(answer: httpx.Response | Answer) -> tuple[int, str]:
    """Return code and message of a failure, which is a Status in the encoding that its Content-Type says."""
    body = answer.content if isinstance(answer, httpx.Response) else answer.body
    content_type = answer.headers["content-type"]
    if content_type == "application/json":
        found = json.loads(body)
        assert set(found) <= {"code", "message", "details"}
        return found["code"], found["message"]
    assert content_type == "application/x-protobuf", content_type
    status = status_pb2.Status.FromString(body)
    return status.code, status.message


class GrpcFailure(NamedTuple):
    """How a call failed."""

    code: grpc.StatusCode
    message: str
    status: status_pb2.Status


def failure(target: Target, signal: Signal, body: bytes, **named: Any) -> GrpcFailure:
    """Return how a call failed; it must."""
    with pytest.raises(grpc.RpcError) as caught:
        target.call(signal, body, **named)
    metadata = dict(caught.value.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b""))
    return GrpcFailure(caught.value.code(), caught.value.details(), status)


def a_request(signal: Signal, name: str) -> Message:
    """Return a request with one record that is called `name`; its ids follow from the name."""
    message, identity = signal.request(), name.encode().rjust(24, b".")[-24:]
    if signal is SIGNALS["traces"]:
        spans = message.resource_spans.add().scope_spans.add().spans
        spans.add(trace_id=identity[:16], span_id=identity[16:], name=name, start_time_unix_nano=_NOW, end_time_unix_nano=_NOW + 1)
    elif signal is SIGNALS["logs"]:
        message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=_NOW, event_name=name)
    else:
        metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
        metric.gauge.data_points.add(time_unix_nano=_NOW, as_int=1)
    return message


def a_body(signal: Signal, name: str) -> bytes:
    """Return the same, serialised."""
    return bytes(a_request(signal, name).SerializeToString())


_NOW: Final = time.time_ns()
