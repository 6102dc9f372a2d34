"""Processes that ended and that nobody waits for: a scanner whose worker was killed becomes a child of its container's first process.

Where that is an init, it takes care of them. Where it is ours, they would stay until the container has no more process ids to give.
"""

import multiprocessing
import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def is_first() -> bool:
    """Whether orphans become our children."""
    return os.getpid() == 1


def collect() -> None:
    """Forget them. For a process whose own children are all those of multiprocessing; call it from the thread that starts these."""
    ours = {child.pid for child in multiprocessing.active_children()}
    for pid in _ended_children():
        if pid not in ours:
            with suppress(ChildProcessError):  # somebody did wait for it
                os.waitpid(pid, os.WNOHANG)


def _ended_children() -> list[int]:
    found = []
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.append(int(folder.name))
    return found
