"""What every sample agent shares: its arguments, its pace, and a clean end on SIGTERM and Ctrl-C."""

import argparse
import os
import random
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

TENANT: Final = "northwind"
ENVIRONMENT: Final = "demo"
RELEASE: Final = "2026.11.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How this process runs."""

    endpoint: str  # OTLP/HTTP, http://host:port
    grpc_endpoint: str | None  # OTLP/gRPC, host:port
    runs: int | None  # stop after so many; None: never
    pace: float  # multiplies every pause: 0 hurries
    rng: random.Random
    stopping: threading.Event

    def work(self, low_seconds: float, high_seconds: float) -> None:
        """Pass the time that a model or a tool would take."""
        self.stopping.wait(self.rng.uniform(low_seconds, high_seconds) * self.pace)

    def pause(self, seconds: float) -> None:
        """Wait between runs; returns early when the process is to stop."""
        self.stopping.wait(seconds * self.pace)

    def more(self, done: int) -> bool:
        """Return whether there is another run to do after `done` of them."""
        return not self.stopping.is_set() and (self.runs is None or done < self.runs)


def start(name: str, arguments: Sequence[str] | None = None) -> Process:
    """Read the arguments of the agent `name`, and arrange for a clean end on SIGTERM and SIGINT."""
    parser = argparse.ArgumentParser(prog=f"python -m cli.demo.{name}")
    parser.add_argument("--endpoint", default="http://127.0.0.1:4318", help="OTLP/HTTP of the collector")
    parser.add_argument(
        "--grpc-endpoint", default=os.environ.get("AUDITLAKE_GRPC_ENDPOINT"), help="OTLP/gRPC of the collector; default: use HTTP"
    )
    parser.add_argument("--runs", type=int, help="stop after so many runs")
    parser.add_argument("--pace", type=float, default=1.0, help="multiplies every pause")
    parser.add_argument("--seed", type=int, help="default: the time")
    options = parser.parse_args(arguments)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return Process(
        endpoint=options.endpoint,
        grpc_endpoint=options.grpc_endpoint,
        runs=options.runs,
        pace=options.pace,
        rng=random.Random(options.seed),  # noqa: S311 - plausible data, not secrets
        stopping=stopping,
    )
