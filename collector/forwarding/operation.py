"""Forwarding as the collector process sees it: what is kept for whom, the process that sends, and how it is."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from collector.children import Child
from collector.config_forwarding import Forward
from collector.forwarding import status
from collector.forwarding.process import forward
from collector.forwarding.queue import activate
from collector.health import OK, Check
from collector.tasks import background

GRACE_SECONDS: Final = 1.5


class Forwarding:
    """The exporters of one configuration. Belongs to one event loop."""

    def __init__(self, forwards: tuple[Forward, ...], *, data: Path, node: str, prepare: Callable[[str], None] | None) -> None:
        self._forwards = forwards
        self._data = data
        self._child = Child("forwarder", forward, (data, node, forwards), prepare=prepare) if forwards else None
        self._supervising: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on keep what is sealed for these exporters, and send. Raises `StorageError`. Call it before the sealer starts."""
        for exporter in activate(self._data, {each.id: each.signals for each in self._forwards}):
            structlog.get_logger(__name__).warning(
                "the queue of an exporter that is configured no more is kept: configure it again, or delete its folder",
                exporter=exporter,
            )
        if self._child is not None:
            self._child.start()
            self._supervising = background(self._child.name, self._child.supervise())

    async def stop(self) -> None:
        """End the process; what it has not sent waits in the queue."""
        if self._child is not None:
            await self._child.stop(GRACE_SECONDS)

    def checks(self) -> Mapping[str, Check]:
        """The components of health, one an exporter: a backend that is away takes nobody out of service."""
        return {f"forward/{each.id}": partial(self._state, each.id) for each in self._forwards}

    def _state(self, exporter: str) -> str:
        child = OK if self._child is None else self._child.state()
        if child != OK:
            return f"degraded: {child.removeprefix('down: ')}; the queue keeps everything meanwhile"
        return status.state(self._data, exporter)
