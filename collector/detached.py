"""Work that goes on when its sender goes away: what is being written is not undone, and what is in memory stays reserved."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

_RUNNING: Final[set[asyncio.Task[None]]] = set()
"""The event loop itself holds tasks by weak references only."""


async def detached(work: Coroutine[Any, Any, Result]) -> Result:
    """Return what `work` returns, or raise what it raises; it runs to its end also when who waits here is cancelled.

    That takes one round of the event loop less than `asyncio.shield`. A failure that nobody waits for any more is no error.
    """
    outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_into(outcome, work))
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    try:
        return await outcome
    finally:
        del outcome, task  # an error's traceback holds this frame: what stays in it would be freed by the garbage collector alone


async def _into(outcome: "asyncio.Future[Result]", work: Coroutine[Any, Any, Result]) -> None:
    try:
        result = await work
        if not outcome.done():
            outcome.set_result(result)
    except Exception as error:  # noqa: BLE001 - who waits is told
        if not outcome.done():
            outcome.set_exception(error)
            outcome.exception()  # that it is never asked for is no error
    finally:
        outcome.cancel()  # has no effect, unless the work was cancelled
        del outcome
