"""Starting, feeding and ending a real collector process in tests.

`verify=False` belongs to plain HTTP: who reads the certificates of the system for every request takes 30 ms of processor time.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
import psutil

from collector.sealer import seal_pending
from collector.signals import TRACES
from storage.catalog import Catalog

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
processors:
  memory_limiter: {{limit_mib: 512, spike_limit_mib: 64}}
  redaction: {{}}
exporters:
  parquet: {{path: unused, seal_interval: {interval}, node: {node}}}
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [health_check]
  workers: {workers}
  pipelines:
    traces: {{receivers: [otlp], processors: [{processors}], exporters: [parquet]}}
    logs: {{receivers: [otlp], processors: [{processors}], exporters: [parquet]}}
    metrics: {{receivers: [otlp], processors: [{processors}], exporters: [parquet]}}
"""
REDACTED, PLAIN = "memory_limiter, redaction", "memory_limiter"


class CollectorProcess:
    """One collector on `data`; use as a context manager, which kills what is still running.

    Where nothing is redacted, and nothing said about that, `redacted=False` spares its scanners: a second of processor time each.
    """

    def __init__(
        self,
        folder: Path,
        *,
        data: Path | None = None,
        grpc: int = 0,
        http: int = 0,
        node: str = "n1",
        interval: str = "200ms",
        workers: int = 1,
        redacted: bool = True,
    ) -> None:
        self.data = data or folder / "data"
        self.log = folder / f"collector-{node}.log"
        self.config = folder / f"{node}.yaml"
        text = CONFIG.format(
            grpc=grpc, http=http, health=0, node=node, interval=interval, workers=workers, processors=REDACTED if redacted else PLAIN
        )
        self.config.write_text(text if redacted else text.replace("exporters: [parquet]}", "exporters: [parquet], allow_unredacted: true}"))
        self.command = [sys.executable, "-m", "tests.collector_main", str(self.config), str(self.data)]
        self.environ = dict(os.environ)
        self.ports: dict[str, int] = {}

    def start(self) -> Self:
        """Start it and wait until requests are taken; raises RuntimeError with its log when it does not come up."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, env=self.environ)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(START_SECONDS)
            raise RuntimeError(self.log.read_text())
        self.ports = json.loads(line)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def terminate(self, seconds: float = 15) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self._close_output()
        return code

    def kill(self) -> None:
        """kill -9, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close_output()

    def post(self, signal_name: str, body: bytes) -> httpx.Response:
        """Send one request."""
        url, headers = f"http://127.0.0.1:{self.ports['http']}/v1/{signal_name}", {"content-type": "application/x-protobuf"}
        return httpx.post(url, content=body, headers=headers, timeout=60, verify=False)

    def health(self) -> httpx.Response:
        """Ask the health check."""
        return httpx.get(f"http://127.0.0.1:{self.ports['health']}/", timeout=10, verify=False)

    def ready(self) -> bool:
        """Whether it says that it is ready: with its scanners."""
        return httpx.get(f"http://127.0.0.1:{self.ports['health']}/ready", timeout=10, verify=False).status_code == httpx.codes.OK

    def scanners(self) -> list[psutil.Process]:
        """Its scanner processes."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ended just now
                if "redaction.scanner" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    def _close_output(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


def settle(data: Path) -> None:
    """Seal what a collector that was stopped on a busy machine left to the next one."""
    catalog = Catalog.open(data)
    seal_pending(data, catalog)
    catalog.close()


def trace_of(names: list[str]) -> bytes:
    """A request body with one span a name, each in a trace of its own."""
    message = TRACES.request()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "load"
    spans = resource.scope_spans.add().spans
    for name in names:
        spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=name, start_time_unix_nano=10**18, end_time_unix_nano=10**18 + 1)
    return bytes(message.SerializeToString())
