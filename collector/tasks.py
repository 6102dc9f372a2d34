"""Tasks that run as long as their process and must not end by an error unseen; what is opened in order and closed in reverse."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any, Self

import structlog


def background(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a task; an error that ends it is logged, with its name."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        structlog.get_logger(__name__).error("a task of the collector ended", error=type(error).__name__, task=task.get_name())


class Entered(ABC):
    """What runs while it is entered: `_start` opens everything in order, and leaves to the stack how to close it."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._reload_asked = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def reload(self) -> None:
        """Ask for the configuration to be read again; safe in a signal handler of the loop."""
        self._reload_asked.set()

    @abstractmethod
    async def _start(self) -> None:
        """Open everything."""
