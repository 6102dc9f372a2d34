"""Backends and a data directory for each test of forwarding."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.forwarding.backends import (
    GrpcBackend,
    HttpBackend,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def backend() -> Iterator[HttpBackend]:
    running = HttpBackend()
    yield running
    running.close()


@pytest.fixture
def grpc_backend() -> Iterator[GrpcBackend]:
    running = GrpcBackend()
    yield running
    running.close()
