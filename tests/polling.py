"""Waiting for other processes in tests."""

import time
from collections.abc import Callable, Sequence

import psutil
import pytest


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Poll until `condition()` is true; fails the test when that takes too long.

    What takes long to ask is asked less often: the processor is for those who are waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if condition():
            return
        if (now := time.monotonic()) > deadline:
            pytest.fail("not in time")
        time.sleep(max(0.05, min(2 * (now - asked), 1.0)))


def wait_for_end(processes: Sequence[psutil.Process]) -> None:
    """Wait until each of these processes has ended, whether or not its parent has looked yet; fails the test when that takes too long."""
    wait_until(lambda: all(map(has_ended, processes)))


def has_ended(process: psutil.Process) -> bool:
    """Whether it is gone, or a zombie: that only waits for its parent to look."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
