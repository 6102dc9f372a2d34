"""Retention while a collector runs: in the compactor's process, at its priority."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from collector.config_retention import Retaining
from collector.forwarding.erasing import forget
from storage.erasure import Hooks
from storage.errors import StorageError
from storage.retention import apply

FIRST_SECONDS: Final = 60.0
"""So soon after a start it is looked for what expired: who restarts more often than the interval would else keep everything."""


def hooks(data: Path, destroy_keys: Callable[[Sequence[str]], int] | None = None) -> Hooks:
    """Return what has to be done beside the lake when rows are erased: queues here, keys by whoever holds the vault's."""
    return Hooks(destroy_keys=destroy_keys, forget_copies=lambda rows: forget(data, rows))


def run_retention(data: Path, retaining: Retaining, stop: threading.Event, *, clock: Callable[[], int] = time.time_ns) -> None:
    """Remove what expired soon after the start and every `interval_seconds` until `stop` is set; after a failure the next time continues.

    Whatever goes wrong is logged: this is the one thread that does it.
    """
    log = structlog.get_logger(__name__)
    wait = min(FIRST_SECONDS, retaining.interval_seconds)
    while not stop.wait(wait):
        wait = retaining.interval_seconds
        try:
            done = apply(data, retaining.rules, now_ns=clock(), hooks=hooks(data), identity_keys=retaining.identity_keys)
        except StorageError as error:
            log.error("retention failed, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint)
            continue
        except Exception as error:  # noqa: BLE001 - its message may hold what stands in a record
            log.error("retention failed, it is tried again", error=type(error).__name__)
            continue
        if done.rows:
            log.info("expired rows removed", order=done.order, rows=done.rows, files=done.files, held=done.held)
