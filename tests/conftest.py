"""What holds for every test: compiled prefilters are shared between test processes and runs, nobody's home is touched, and
properties are tried on the same examples everywhere; files that take long come first, so that no worker is left alone with one."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parent.parent / ".pytest_cache" / "xdg")
os.environ["XDG_STATE_HOME"] = os.environ["XDG_CACHE_HOME"]

FIRST = ("end_to_end", "faults", "browser", "tamper", "alerts", "conformance")

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("searching")
settings.load_profile("repeatable")  # `pytest --hypothesis-profile searching` looks for examples that nobody has seen


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole folders first (`make test` has xdist keep this order)."""
    items.sort(key=lambda item: FIRST.index(item.path.parent.name) if item.path.parent.name in FIRST else len(FIRST))


def pytest_collection_finish() -> None:
    """What collecting made, and what it imported, stays: a collection of garbage need not look at it again (0.6 s each time)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that run in this process configure logging, into streams that are closed after the test."""
    configured, before = structlog.is_configured(), structlog.get_config()
    yield
    if configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()
