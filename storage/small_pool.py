"""Processes whose Arrow keeps no memory that it has freed (`storage.spare_memory` gives back the rest).

Arrow's pool is mimalloc, which keeps what was freed for a second, and some of it for good: of the largest segment a sealer kept 7 MiB, of
a merge a compactor 90 until its end. It reads its options from the environment when the process begins (microsoft/mimalloc, Environment
Options). This module imports nothing, so that a parent needs no Arrow.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

OPTIONS: Final = {"MIMALLOC_PURGE_DELAY": "0", "MIMALLOC_ALLOW_THP": "0"}
"""Give memory back as soon as it is free, and in pages of 4 KiB: of 2 MiB, one block in use keeps the whole."""


@contextlib.contextmanager
def small_pool() -> Iterator[None]:
    """Start such processes inside. What the operator has set in the environment stays."""
    added = {name: value for name, value in OPTIONS.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
