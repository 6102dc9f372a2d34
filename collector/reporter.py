"""What the collector writes into the lake about itself: its metrics every ten seconds, its events as they come.

Who reads the lake cannot tell a collector that has nothing to do from one that is gone. So one collector of a data directory writes its
metrics every thirty seconds also while nothing is asked of it: what is older than that, is sealed late or never.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

from collector.committer import Committer, Place
from collector.errors import Unavailable
from collector.gauges import LakeGauges
from collector.mishaps import Mishaps
from collector.own_events import OwnEvent, payload, reload_event
from collector.policies import Policies
from collector.reload import Outcome
from collector.signals import LOGS, METRICS, Signal
from collector.telemetry import Telemetry
from storage.wal import BatchHeader

METRICS_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 30.0
EVENTS_SECONDS: Final = 1.0


class Reporter:
    """Writes in the background, and not at all while the WAL takes nothing: health and the log say so then, and the next start does."""

    def __init__(
        self, node: str, committer: Committer, telemetry: Telemetry, policies: Policies, mishaps: Mishaps, lake: LakeGauges | None = None
    ) -> None:
        """`lake` is measured every second; None where another process does that, and says so while nothing happens."""
        self._node = node
        self._committer = committer
        self._telemetry = telemetry
        self._policies = policies
        self._mishaps = mishaps
        self._lake = lake
        self._silent_seconds = IDLE_SECONDS  # it says at once that it is there

    async def report_metrics(self) -> None:
        """Write the metrics regularly, until cancelled."""
        while True:
            await asyncio.sleep(METRICS_SECONDS)
            self.turn()

    def turn(self) -> None:
        """What is done every `METRICS_SECONDS`."""
        self._silent_seconds += METRICS_SECONDS
        if self._metrics(idle=self._lake is not None and self._silent_seconds >= IDLE_SECONDS):
            self._silent_seconds = 0.0

    async def measure(self) -> None:
        """Look at the data directory again, for gauges that are not older than a moment."""
        if self._lake is not None:
            await asyncio.to_thread(self._lake.measure)

    async def report_events(self) -> None:
        """Write the events about refusals, withheld values and mishaps when they are due, until cancelled."""
        while True:
            await self.measure()
            await self._report_mishaps()
            await asyncio.sleep(EVENTS_SECONDS)
            self._events(self._due_events())

    def reloaded(self, outcome: Outcome) -> None:
        """Write what became of a reload."""
        self._events([reload_event(outcome)])

    def finish(self) -> None:
        """Write what is left."""
        self._metrics()
        self._events(self._due_events(everything=True))

    async def _report_mishaps(self) -> None:
        """Write what went wrong with the WAL; it is told once, which counts only when it is durable."""
        if self._committer.failure is not None:
            await asyncio.to_thread(self._mishaps.wal_failed)
            return
        events = await asyncio.to_thread(self._mishaps.events)
        written = self._events(events)
        if written is not None:
            with contextlib.suppress(Unavailable):
                await written
                await asyncio.to_thread(self._mishaps.told)

    def _due_events(self, *, everything: bool = False) -> list[OwnEvent]:
        telemetry = self._telemetry
        return telemetry.withheld_events.take(everything=everything) + telemetry.sender_events.take(everything=everything)

    def _metrics(self, *, idle: bool = False) -> bool:
        """Write what was counted, with `idle` also when that is nothing; returns whether anything was written."""
        taken = self._telemetry.take(time.time_ns(), idle=idle)
        return taken is not None and self._write(METRICS, *taken) is not None

    def _events(self, events: Sequence[OwnEvent]) -> asyncio.Future[Place] | None:
        return self._write(LOGS, payload(self._node, events, time.time_ns()), len(events)) if events else None

    def _write(self, signal: Signal, message: bytes, records: int) -> asyncio.Future[Place] | None:
        header = BatchHeader(
            signal=signal.name,
            tenant=None,
            received_ns=time.time_ns(),
            policy_hash=self._policies.current.policy_hash,
            records=records,
            own=True,
        )
        with contextlib.suppress(Unavailable):
            return self._committer.submit(header, message)
        return None
