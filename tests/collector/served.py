"""Receivers over real sockets and a WAL in memory, or one that a test brings, in a thread of the test's process."""

import asyncio
import contextlib
import socket
import threading
from typing import Any

import grpc
import httpx
import uvloop

from collector.committer import Committer
from collector.config import Config, parse
from collector.health import HealthApp
from collector.listening import Listeners
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receipts import Receipts
from collector.resends import Resends
from collector.signals import TRACES, Signal
from collector.telemetry import Telemetry
from storage.wal import BatchHeader, RecordType
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaner, FakeWriter

PROTOBUF = {"content-type": "application/x-protobuf"}
LIMIT_BYTES = 1 << 20
KEY = b"k" * 32
ORIGIN = "node/collector"

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:0", max_recv_msg_size_mib: 1}
      http: {endpoint: "127.0.0.1:0", max_request_body_size: 1048576}
processors:
  redaction: {}
exporters:
  parquet: {path: unused}
extensions:
  health_check: {endpoint: "127.0.0.1:0"}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp], processors: [redaction], exporters: [parquet]}
    logs: {receivers: [otlp], processors: [redaction], exporters: [parquet]}
    metrics: {receivers: [otlp], processors: [redaction], exporters: [parquet]}
"""


def config(text: str = CONFIG) -> Config:
    return parse(text, "test.yaml", {})


class Served:
    """Receivers over a WAL in memory, in a thread with its own event loop."""

    def __init__(self, text: str = CONFIG, writer: Any = None, receipts: Receipts | None = None) -> None:
        self.writer = writer or FakeWriter()
        self.health = {"wal": "ok"}
        self._text = text
        self._receipts = receipts
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), daemon=True)  # as a collector runs
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.listeners = Listeners(config(self._text))
        self.listeners.bind()
        cleaner, committer = FakeCleaner(), Committer(self.writer)
        self.committer = committer
        self.telemetry = Telemetry("node", 0)
        pipeline = Pipeline(
            policies=Policies(fake_policy(cleaner)),
            committer=committer,
            resends=Resends(KEY, origin=ORIGIN),
            telemetry=self.telemetry,
            origin=ORIGIN,
            receipts=self._receipts,
        )
        task = asyncio.create_task(committer.run())
        health = HealthApp({name: lambda name=name: self.health[name] for name in self.health}, ready=lambda: self.listeners.gate.is_open)
        await self.listeners.start(pipeline, health)
        self._ready.set()
        await self._stop.wait()
        await self.listeners.stop()
        await committer.close()
        await task

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listeners.ports.http}"

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.listeners.ports.grpc}"

    @property
    def batches(self) -> list[tuple[BatchHeader, bytes]]:
        return [(BatchHeader.from_bytes(header), payload) for kind, header, payload in self.writer.records if kind == RecordType.BATCH]

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        return httpx.post(self.url + path, content=content, headers=headers, timeout=10, verify=False)

    def call(self, signal: Signal, body: bytes, *metadata: tuple[str, str | bytes]) -> Any:
        with grpc.insecure_channel(self.target) as channel:
            method = channel.unary_unary(f"/{signal.grpc_service}/Export", response_deserializer=signal.response.FromString)
            return method(body, timeout=10, metadata=metadata)


def a_trace(name: str = "span") -> bytes:
    message = TRACES.request()
    message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name=name)
    return bytes(message.SerializeToString())


def exchange(served: Served, *pieces: bytes) -> bytes:
    """Send bytes to the HTTP port and return all that is answered until the connection ends."""
    with socket.create_connection(("127.0.0.1", served.listeners.ports.http or 0), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer
