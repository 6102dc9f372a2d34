"""A small OTLP/HTTP server on loopback that keeps what it decodes, and can delay, refuse, fail or reject on demand."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

_MESSAGES = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse, "rejected_spans"),
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse, "rejected_log_records"),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse, "rejected_data_points"),
}


@dataclass(frozen=True)
class Record:
    """One span, log record or data point as received, with plain Python attributes."""

    name: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    message: Any


@dataclass
class OtlpServer:
    """What was received, and how to answer."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  # answers to give first, one a request; then 200
    status: int = 200
    rejected: int = 0
    delay_seconds: float = 0.0
    retry_after: str | None = None
    endpoint: str = ""

    def decoded(self, path: str) -> list[Any]:
        return [_MESSAGES[path][0].FromString(body) for sent, _, body in self.requests if sent == path]

    @property
    def spans(self) -> list[Record]:
        return [
            Record(span.name, _attributes(span.attributes), _attributes(group.resource.attributes), span)
            for request in self.decoded("/v1/traces")
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    @property
    def logs(self) -> list[Record]:
        return [
            Record(log.event_name, _attributes(log.attributes), _attributes(group.resource.attributes), log)
            for request in self.decoded("/v1/logs")
            for group in request.resource_logs
            for scope in group.scope_logs
            for log in scope.log_records
        ]

    @property
    def points(self) -> list[Record]:
        return [
            Record(metric.name, _attributes(point.attributes), _attributes(group.resource.attributes), point)
            for request in self.decoded("/v1/metrics")
            for group in request.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
            for point in (metric.gauge.data_points or metric.sum.data_points or metric.histogram.data_points)
        ]

    def events(self, name: str) -> list[Record]:
        return [record for record in self.logs if record.name == name]

    def span(self, name: str) -> Record:
        return next(span for span in self.spans if span.name == name)


def wait_for(condition: Callable[[], object], timeout_seconds: float = 10.0) -> None:
    """Return once `condition` holds; fail when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@contextmanager
def serving(server: OtlpServer | None = None, port: int = 0) -> Iterator[OtlpServer]:
    """Serve on a free loopback port for the block."""
    state = server or OtlpServer()
    http_server = _Server(("127.0.0.1", port), _handler(state))
    state.endpoint = f"http://127.0.0.1:{http_server.server_address[1]}"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http_server.shutdown()
        http_server.server_close()
        thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def server_close(self) -> None:
        """Cut the connections that are kept alive, as the end of a collector process does."""
        super().server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _handler(state: OtlpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            time.sleep(state.delay_seconds)
            status = state.statuses.pop(0) if state.statuses else state.status
            answer = b""
            if status == 200:
                state.requests.append((self.path, dict(self.headers), body))
                _, response, rejected = _MESSAGES[self.path]
                message = response()
                if state.rejected:
                    setattr(message.partial_success, rejected, state.rejected)
                answer = message.SerializeToString()
            try:
                self.send_response(status)
                if state.retry_after is not None:
                    self.send_header("retry-after", state.retry_after)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
