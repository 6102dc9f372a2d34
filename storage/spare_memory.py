"""What a process that works in rounds gives back after each, so that it holds as much after the thousandth as after the tenth.

Three things keep memory otherwise: SQLAlchemy's statements, which are cycles that the garbage collector finds only now and then; Arrow's
pool; and the C library, which keeps what is free between two blocks that are not.
"""

import atexit
import ctypes
import gc
import time
from collections.abc import Callable
from functools import cache
from typing import Final

import pyarrow as pa

SLOW_SECONDS: Final = 0.02
"""Processor time of a collection that looks at too much: what it leaves are modules and tables that stay, and later ones leave them out."""


def give_back() -> None:
    """Return all memory that nothing refers to. Takes milliseconds; for the end of a round, when little is referred to."""
    begun = time.thread_time()
    gc.collect()
    if time.thread_time() - begun > SLOW_SECONDS:
        gc.freeze()
        _thaw_at_exit()
    pa.default_memory_pool().release_unused()
    _trim()(0)


def leave_out_what_stays() -> None:
    """Have the garbage collector look neither at what is alive now nor, often, at what is new: it stops all threads while it looks.

    For a process that answers others, once, when it has loaded what stays. Cycles that are alive now are never freed.
    """
    gc.collect()
    gc.freeze()
    _thaw_at_exit()
    gc.set_threshold(50_000, 20, 50)


@cache
def _thaw_at_exit() -> None:
    """Or extensions complain at the end about what they were never asked to free (duckdb, at length)."""
    atexit.register(gc.unfreeze)


@cache
def _trim() -> Callable[[int], object]:
    """`malloc_trim` of glibc; other C libraries have none."""
    return getattr(ctypes.CDLL(None), "malloc_trim", lambda _pad: None)
