"""What the collector writes into the lake about itself: its metrics every ten seconds, its events as they come."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

from collector.committer import Committer
from collector.errors import Unavailable
from collector.own_events import OwnEvent, payload, reload_event
from collector.policies import Policies
from collector.reload import Outcome
from collector.signals import LOGS, METRICS, Signal
from collector.telemetry import Telemetry
from storage.wal import BatchHeader

METRICS_SECONDS: Final = 10.0
EVENTS_SECONDS: Final = 1.0


class Reporter:
    """Writes in the background, and not at all while the WAL takes nothing: health and the log say so then."""

    def __init__(self, node: str, committer: Committer, telemetry: Telemetry, policies: Policies) -> None:
        self._node = node
        self._committer = committer
        self._telemetry = telemetry
        self._policies = policies

    async def report_metrics(self) -> None:
        """Write the metrics regularly, until cancelled."""
        while True:
            await asyncio.sleep(METRICS_SECONDS)
            self._metrics()

    async def report_events(self) -> None:
        """Write the events about withheld values when they are due, until cancelled."""
        while True:
            await asyncio.sleep(EVENTS_SECONDS)
            self._events(self._telemetry.withheld_events.take())

    def reloaded(self, outcome: Outcome) -> None:
        """Write what became of a reload."""
        self._events([reload_event(outcome)])

    def finish(self) -> None:
        """Write what is left."""
        self._metrics()
        self._events(self._telemetry.withheld_events.take(everything=True))

    def _metrics(self) -> None:
        taken = self._telemetry.take(time.time_ns())
        if taken is not None:
            self._write(METRICS, *taken)

    def _events(self, events: Sequence[OwnEvent]) -> None:
        if events:
            self._write(LOGS, payload(self._node, events, time.time_ns()), len(events))

    def _write(self, signal: Signal, message: bytes, records: int) -> None:
        header = BatchHeader(
            signal=signal.name,
            tenant=None,
            received_ns=time.time_ns(),
            policy_hash=self._policies.current.policy_hash,
            records=records,
            own=True,
        )
        with contextlib.suppress(Unavailable):
            self._committer.submit(header, message)
