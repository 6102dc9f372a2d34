"""Retention while a collector runs: in the compactor's process, at its priority."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from collector.config_retention import Retaining
from collector.forwarding.erasing import forget
from storage.erasure import Hooks
from storage.errors import StorageError
from storage.retention import apply


def hooks(data: Path, destroy_keys: Callable[[], int] | None = None) -> Hooks:
    """Return what has to be done beside the lake when rows are erased: queues here, keys by whoever holds the vault's."""
    return Hooks(destroy_keys=destroy_keys, forget_copies=lambda rows: forget(data, rows))


def run_retention(data: Path, retaining: Retaining, stop: threading.Event, *, clock: Callable[[], int] = time.time_ns) -> None:
    """Remove what expired every `interval_seconds` until `stop` is set; a failure is logged, and the next time continues."""
    log = structlog.get_logger(__name__)
    while not stop.wait(retaining.interval_seconds):
        try:
            done = apply(data, retaining.rules, now_ns=clock(), hooks=hooks(data), identity_keys=retaining.identity_keys)
        except StorageError as error:
            log.error("retention failed, it is tried again", attempted=error.attempted, subject=error.subject, hint=error.hint)
            continue
        if done.rows:
            log.info("expired rows removed", order=done.order, rows=done.rows, files=done.files, held=done.held)
