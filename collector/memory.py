"""How much memory there is for this process: the machine's, or what its container may have."""

import contextlib
import os
from pathlib import Path
from typing import Final

_LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux tells a container its limit: control groups version 2, version 1."""


def memory_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """Return the smaller of the machine's memory and the limit of our control group, where there is one."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in limits:
        with contextlib.suppress(OSError, ValueError):  # no container, or "max": no limit
            found.append(int(file.read_text()))
    return min(found)
