"""The last stage of a flow: an exporter sends what was sealed to its backend, which is a file beside the data, as on another machine."""

import threading
from pathlib import Path
from typing import Final

from collector.config_exporters import OtlpHttpExporterConfig
from collector.config_forwarding import Forward
from collector.forwarding.answers import Answer, Kind
from collector.forwarding.forwarder import Forwarder
from collector.forwarding.queue import activate
from collector.forwarding.told import Told
from collector.signals import SIGNALS, Signal
from storage.durable import FileSystem
from tests.faults.points import AFTER, BEFORE, Reached

EXPORTER: Final = Forward(
    id="otlp_http/b",
    config=OtlpHttpExporterConfig.model_validate({"endpoint": "http://127.0.0.1:1"}),
    signals=frozenset(SIGNALS),
    filters={},
)


class Backend:
    """Takes every request."""

    def __init__(self, delivered: Path, reached: Reached) -> None:
        self._delivered = delivered
        self._reached = reached

    def send(self, _signal: Signal, body: bytes) -> Answer:
        self._reached("send", BEFORE)
        with self._delivered.open("ab") as file:
            file.write(body + b"\n")
        self._reached("send", AFTER)
        return Answer(kind=Kind.DELIVERED)

    def close(self) -> None:
        """Nothing is open between two requests."""


class UntilIdle(threading.Event):
    """Stops who waits for it: a forwarder that has nothing left to do."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


def configure(data: Path) -> None:
    """Have what is sealed kept for the exporter."""
    activate(data, {EXPORTER.id: EXPORTER.signals})


def forward_all(data: Path, delivered: Path, reached: Reached, fs: FileSystem) -> None:
    """Work off the queue of the exporter."""
    Forwarder(data, EXPORTER, Backend(delivered, reached), Told(data, "n"), UntilIdle(), fs=fs).run()
