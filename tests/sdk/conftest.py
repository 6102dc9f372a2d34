"""Every test of the SDK talks to a real OTLP server on loopback, and leaves nothing configured behind."""

from collections.abc import Callable, Iterator
from typing import Any

import auditlake
import pytest
import structlog
from auditlake import _state

from tests.sdk.otlp_server import OtlpServer, serving


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    with serving() as running:
        yield running


@pytest.fixture
def configure(server: OtlpServer) -> Iterator[Callable[..., auditlake.Handle]]:
    """`configure(**options)` with this test's server as the endpoint, quick, and without touching OpenTelemetry's globals."""
    structlog.reset_defaults()  # whatever another test has set up
    handles: list[auditlake.Handle] = []

    def connect(**options: Any) -> auditlake.Handle:
        defaults = {"endpoint": server.endpoint, "set_global": False, "structlog": False, "delay_seconds": 0.05, "timeout_seconds": 5.0}
        handle = auditlake.configure("support-agent", **{**defaults, **options})
        handles.append(handle)
        return handle

    yield connect
    for handle in handles:
        handle.shutdown(0.2)
    _state.replace(None)
    structlog.reset_defaults()
