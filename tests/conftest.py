"""What holds for every test: compiled prefilters are shared between test processes and runs, nobody's home is touched, and
properties are tried on the same examples everywhere.

Which tests come first, and who runs them: tests/scheduling.py. Temporary folders are in memory where there is some, but for tests of
durability: tests/on_disk.py.
"""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from tests import scheduling
from tests.collector_main import PROMPT

os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parent.parent / ".pytest_cache" / "xdg")
os.environ["XDG_STATE_HOME"] = os.environ["XDG_CACHE_HOME"]
os.environ[PROMPT] = "1"
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # its handlers end one fork in ten of a process whose threads use it

gc.set_threshold(100_000, 50, 100)  # what is imported and collected stays

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 << 30

settings.register_profile("repeatable", derandomize=True, deadline=None)  # what is slow is slow because of what runs beside it
settings.register_profile("searching", deadline=None)
settings.load_profile("repeatable")  # `pytest --hypothesis-profile searching` looks for examples that nobody has seen


def in_memory() -> bool:
    """Whether there is a file system in memory that takes our temporary folders, also of programs."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES


if in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_configure(config: pytest.Config) -> None:
    """Give way to the testers whose tests wait for other processes."""
    worker = getattr(config, "workerinput", None)
    if worker is not None and scheduling.computes(worker["workerid"]):
        os.nice(scheduling.NICE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ByKind | None:
    """Deal out files to testers, when that is asked for."""
    return scheduling.ByKind(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole folders first (`make test` has xdist keep this order)."""
    items.sort(key=lambda item: scheduling.place(item.path))


def pytest_collection_finish() -> None:
    """What collecting made, and what it imported, stays: a collection of garbage need not look at it again (0.6 s each time)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that run in this process configure logging, into streams that are closed after the test."""
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    if configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()
