"""Work that goes on when its sender goes away: what is being written is not undone, and what is in memory stays reserved."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def detached(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Run `work` to its end; await it through `asyncio.shield`. A failure that nobody waits for any more is no error."""
    task = asyncio.create_task(work)
    task.add_done_callback(_retrieve)
    return task


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
