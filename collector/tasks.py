"""Tasks that run as long as their process and must not end by an error unseen."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog


def background(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a task; an error that ends it is logged, with its name."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_failure)
    return task


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        structlog.get_logger(__name__).error("a task of the collector ended", error=type(error).__name__, task=task.get_name())
