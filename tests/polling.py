"""Waiting for other processes in tests."""

import time
from collections.abc import Callable

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
