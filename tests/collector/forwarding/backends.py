"""Backends over real sockets that do what a test tells them, and what else tests of forwarding share."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import grpc
import pyarrow as pa
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from collector.config_exporters import OtlpGrpcExporterConfig, OtlpHttpExporterConfig
from collector.config_filter import FilterConfig
from collector.config_forwarding import Forward
from collector.forwarding.forwarder import Forwarder, Sender
from collector.forwarding.process import open_sender
from collector.forwarding.queue import activate, exporter_folder, keep
from collector.forwarding.status import Status
from collector.forwarding.told import Told
from collector.sealer import seal_pending
from collector.signals import SIGNALS
from storage.catalog import Catalog
from storage.wal import BatchHeader, RecordType, WalWriter, closed_segments
from tests.collector.otlp_samples import NOW_NS, traces
from tests.polling import wait_until

Batch = tuple[RecordType, bytes, bytes]
QUICK = {"initial_interval": "5ms", "max_interval": "20ms"}
ID = "otlp_http/b"


class Got(NamedTuple):
    """One request that a backend was sent."""

    signal: str
    message: Any
    headers: dict[str, str]
    size_bytes: int


class HttpAnswer(NamedTuple):
    """What an HTTP backend says."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = (("content-type", "application/x-protobuf"),)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "zstd": lambda body: pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(),
}


class HttpBackend:
    """An OTLP/HTTP server; `answer` decides about each request, success by default. What it took is in `taken`, in order."""

    def __init__(self) -> None:
        self.answer: Callable[[Got], HttpAnswer] = lambda _: HttpAnswer()
        self.asked: list[Got] = []
        self.taken: list[Got] = []
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = DECODERS[self.headers.get("content-encoding", "")](body)
                answer = backend.say(self.path.rpartition("/")[2], body, {name.lower(): value for name, value in self.headers.items()})
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("content-length", str(len(answer.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def say(self, signal: str, body: bytes, headers: dict[str, str]) -> HttpAnswer:
        got = Got(signal, SIGNALS[signal].request.FromString(body), headers, len(body))
        self.asked.append(got)
        answer = self.answer(got)
        if answer.status == 200:
            self.taken.append(got)
        return answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class GrpcBackend(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """An OTLP/gRPC server; `fails` returns how a request is refused, None for success."""

    def __init__(self, port: int = 0) -> None:
        self.fails: Callable[[Got], tuple[grpc.StatusCode, str, float | None] | None] = lambda _: None
        self.response = b""
        self.asked: list[Got] = []
        self.taken: list[Got] = []
        self._server = grpc.server(ThreadPoolExecutor(2), handlers=(self,), options=[("grpc.so_reuseport", 0)])
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def service(self, handler_call_details: Any) -> Any:
        signal = next(signal for signal in SIGNALS.values() if signal.grpc_service in handler_call_details.method)

        def export(body: bytes, context: Any) -> bytes:
            got = Got(signal.name, signal.request.FromString(body), dict(context.invocation_metadata()), len(body))
            self.asked.append(got)
            if (failure := self.fails(got)) is not None:
                code, details, seconds = failure
                if seconds is not None:
                    status = status_pb2.Status(code=code.value[0])
                    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(nanos=int(seconds * 1e9))))
                    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                context.abort(code, details)
            self.taken.append(got)
            return self.response

        return grpc.unary_unary_rpc_method_handler(export)

    def close(self) -> None:
        self._server.stop(0).wait()


def names(requests: Sequence[Got]) -> list[str]:
    """The names of all spans, in the order in which they came."""
    return [
        span.name
        for got in requests
        if got.signal == "traces"
        for resource in got.message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def batch(message: Any, records: int = 1, *, signal: str = "traces", tenant: str | None = None, own: bool = False) -> Batch:
    header = BatchHeader(signal=signal, tenant=tenant, received_ns=NOW_NS, policy_hash="policy", records=records, own=own)
    return RecordType.BATCH, header.to_bytes(), message.SerializeToString()


def spans(*called: str) -> Batch:
    return batch(traces(*({"name": name} for name in called)), len(called))


def sealed(data: Path, *batches: Batch, origin: str = "n/collector", entry: int = 0) -> None:
    """Write a segment, keep it for the exporters, and delete it, as the sealer does."""
    with closing(WalWriter(data, origin, first_entry=entry)) as writer:
        writer.append(batches)
    for segment in closed_segments(data):
        if segment.origin == origin:
            keep(data, segment)
            segment.path.unlink()


def queued(data: Path, exporter: str = ID) -> list[Path]:
    return sorted((exporter_folder(data, exporter) / "queue").glob("*.wal"))


def over_http(url: str, *filters: FilterConfig, signals: Sequence[str] = tuple(SIGNALS), **fields: Any) -> Forward:
    config = OtlpHttpExporterConfig.model_validate({"endpoint": url, "retry_on_failure": QUICK, **fields})
    return Forward(id=ID, config=config, signals=frozenset(signals), filters=dict.fromkeys(signals, filters))


def over_grpc(port: int, **fields: Any) -> Forward:
    plain = {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}, "retry_on_failure": QUICK}
    config = OtlpGrpcExporterConfig.model_validate({**plain, **fields})
    return Forward(id=ID, config=config, signals=frozenset(SIGNALS), filters={})


def ready(data: Path, *forwards: Forward) -> None:
    activate(data, {each.id: each.signals for each in forwards})


@contextmanager
def forwarding(data: Path, forward: Forward, sender: Sender | None = None) -> Iterator[Forwarder]:
    """Run a forwarder in a thread for as long as the block lasts."""
    stop = threading.Event()
    used = sender or open_sender(forward)
    forwarder = Forwarder(data, forward, used, Told(data, "n"), stop)
    thread = threading.Thread(target=forwarder.run)
    thread.start()
    try:
        yield forwarder
    finally:
        stop.set()
        thread.join(15)
        used.close()
        assert not thread.is_alive()


def forward_all(data: Path, forward: Forward) -> Status:
    """Work off the whole queue, and return what the forwarder says at its end."""
    with forwarding(data, forward):
        wait_until(lambda: not queued(data, forward.id))
    status = Status.read(data, forward.id)
    assert status is not None
    return status


def events(data: Path) -> list[tuple[Any, ...]]:
    """What the forwarder told, as everyone can query it."""
    catalog = Catalog.open(data)
    seal_pending(data, catalog)
    catalog.close()
    files = str(data / "data/events/**/*.parquet")
    keys = [f"attributes['auditlake.forward.{name}']" for name in ("exporter", "reason", "records")]
    return duckdb.sql(f"SELECT event_name, {', '.join(keys)} FROM read_parquet('{files}') ORDER BY 1").fetchall()
