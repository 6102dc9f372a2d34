"""What goes on behind the acknowledgement, for all collectors of this machine together: one sealer, one compactor, a forwarder when
there are exporters that send onward, and one that makes checkpoints known outside when there is somewhere to.

They are processes of their own, sealer and compactor at idle priority. Who minds them here gives them the priority that what waits for
them needs.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from collector.anchoring import board
from collector.children import Child, anchor, compact, seal
from collector.config import Config
from collector.config_retention import Retaining
from collector.forwarding.operation import Forwarding
from collector.health import OK, Check
from collector.node import node_name
from collector.price_file import PriceFile
from collector.tasks import background
from storage.compactor import Pace, pace
from storage.errors import StorageError
from storage.wal import closed_segments

SEALER_GRACE_SECONDS: Final = 6.0
COMPACTOR_GRACE_SECONDS: Final = 1.0
ANCHORS_GRACE_SECONDS: Final = 1.5
HURRY_SECONDS: Final = 3.0
"""A closed segment that waits this long shows that the idle sealer starves: it goes on at normal priority."""
MERGES_SECONDS: Final = 20.0
"""How often the merges that are due are looked at. An idle compactor that is behind goes on at normal priority until it is no longer."""
RELAX_SECONDS: Final = 30.0
"""Without such a segment for this long, the sealer is idle again."""
BACKLOG_SECONDS: Final = 60.0
"""The sealer counts as down when a closed segment has waited this long."""
HUNG_SECONDS: Final = 300.0
"""The oldest segment stays the oldest for seconds; a sealer that works on it for so long hangs, and is started anew."""


class Progress:
    """Tells whether anything is sealed, by which segment is the oldest."""

    def __init__(self) -> None:
        self._oldest: Path | None = None
        self._since = 0.0

    def is_stuck(self, oldest: Path | None, now: float) -> bool:
        """Whether this segment has been the oldest for too long; then it is asked again after as long."""
        if oldest != self._oldest:
            self._oldest, self._since = oldest, now
        if oldest is None or now - self._since < HUNG_SECONDS:
            return False
        self._since = now
        return True


class Upkeep:
    """The processes behind. Belongs to one event loop."""

    def __init__(
        self, config: Config, *, data: Path, prepare: Callable[[str], None] | None, sealer_seconds: float = SEALER_GRACE_SECONDS
    ) -> None:
        """`sealer_seconds` is what the sealer has to finish in at a stop."""
        self._data = data
        self._ledger = config.ledger
        self._sealer_seconds = sealer_seconds
        self._interval = config.parquet.seal_interval
        self._prices, self._retaining = _of_behind(config)
        self._sealer = Child("sealer", seal, (data, self._prices, config.ledger), prepare=prepare)
        self._parquet = config.parquet
        self._node = node = config.parquet.node or node_name(socket.gethostname())
        self._compactor = Child("compactor", compact, self._compaction(), prepare=prepare)
        self._forwarding = Forwarding(config.forwards, data=data, node=node, prepare=prepare)
        self._anchors = Child("anchors", anchor, (data, node, config.ledger), prepare=prepare) if config.ledger.leaves_host else None
        self._hurried_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._minding: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the processes. Raises `StorageError` when the queues of exporters cannot be prepared."""
        self._forwarding.start()
        for child in (self._sealer, self._compactor, *([] if self._anchors is None else [self._anchors])):
            child.start()
            self._tasks.append(background(child.name, child.supervise()))
        self._minding = [background("backlog", self._mind_the_backlog()), background("merges", self._mind_the_merges())]

    async def stop(self) -> None:
        """Let the sealer finish what is closed, within its time."""
        for minding in self._minding:
            minding.cancel()
        await asyncio.gather(
            self._sealer.stop(self._sealer_seconds, hurry=True), self._compactor.stop(COMPACTOR_GRACE_SECONDS), self._forwarding.stop()
        )
        if self._anchors is not None:  # last, for what was sealed just now
            await self._anchors.stop(ANCHORS_GRACE_SECONDS)

    def wake(self) -> None:
        """A segment was closed."""
        self._sealer.wake()

    def use(self, config: Config) -> None:
        """What is sealed from now on is priced by its file, and rows are kept for as long as its rules say."""
        prices, retaining = _of_behind(config)
        if prices != self._prices:
            self._prices = prices
            self._sealer.give((self._data, prices, self._ledger))
        if retaining != self._retaining:
            self._retaining = retaining
            self._compactor.give(self._compaction())

    def _compaction(self) -> tuple[Any, ...]:
        """What the compactor is given; but for the rules it is what was there at the start."""
        of_files = (self._parquet.compact_interval, self._parquet.retired_grace)
        return (self._data, *of_files, self._retaining, self._ledger.checking(self._node))

    def reloaded(self, accepted: bool) -> None:
        """Nothing here depends on it: what does is handed over."""

    def checks(self) -> Mapping[str, Check]:
        """The components of health."""
        anchors = {} if self._anchors is None else {"anchors": self._anchors_state}
        return {"sealer": self._sealer_state, **anchors, **self._forwarding.checks()}

    async def _mind_the_backlog(self) -> None:
        """Give the sealer the priority that its backlog needs."""
        progress = Progress()
        while True:
            await asyncio.sleep(self._interval)
            now = time.monotonic()
            oldest, seconds = await asyncio.to_thread(self._oldest_segment)
            if progress.is_stuck(oldest, now):
                structlog.get_logger(__name__).warning("the sealer makes no progress and is started anew", seconds=round(seconds))
                self._sealer.renew()
            elif seconds > HURRY_SECONDS:
                self._hurried_at = now
                self._sealer.hurry()
            elif now - self._hurried_at > RELAX_SECONDS:
                self._sealer.relax()

    async def _mind_the_merges(self) -> None:
        """Give the compactor the priority that the merges which are due need."""
        while True:
            await asyncio.sleep(MERGES_SECONDS)
            with contextlib.suppress(StorageError):  # the compactor tells of it
                match await asyncio.to_thread(pace, self._data, time.time_ns()):
                    case Pace.STARVES:
                        self._compactor.hurry()
                    case Pace.KEEPS_UP:
                        self._compactor.relax()

    def _oldest_segment(self) -> tuple[Path | None, float]:
        """Return the oldest closed segment and how long it has waited; None and 0 when none waits."""
        with contextlib.suppress(FileNotFoundError):  # sealed meanwhile
            for segment in closed_segments(self._data)[:1]:
                return segment.path, time.time() - segment.path.stat().st_mtime
        return None, 0.0

    def _anchors_state(self) -> str:
        """The second location, witnesses and time-stamps: what is wrong with them takes nobody out of service."""
        state = OK if self._anchors is None else self._anchors.state()
        return board.state(self._data) if state == OK else f"degraded: {state.removeprefix('down: ')}"

    def _sealer_state(self) -> str:
        state = self._sealer.state()
        if state != OK:
            return state
        _, seconds = self._oldest_segment()
        if seconds > BACKLOG_SECONDS:
            return f"down: segments wait to be sealed, the oldest for {seconds:.0f} s"
        return OK


def _of_behind(config: Config) -> tuple[PriceFile | None, Retaining | None]:
    """What a configuration that is read again changes here; holds find people by the policy's keys."""
    return config.prices, config.retention.retaining(config.redaction.identity_keys)
