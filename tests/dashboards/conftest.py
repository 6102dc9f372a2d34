"""Lakes for the pages: one with everything, one that is empty. Built once a session; the pages only read them."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from tests.dashboards import fixture_lake


@pytest.fixture(scope="session")
def full_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("full")
    now = time.time_ns()
    fixture_lake.publish(data, fixture_lake.history(now, runs=70), now)
    return data


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("empty")
    Catalog.open(data).close()
    return data


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Put `__main__` back: a page that `AppTest` runs takes its place, and processes that later tests spawn would run that page."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
