"""Calls over gRPC that senders begin and drop, and more of them than are taken at a time."""

import gc
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from collector.receivers import grpc as receiver
from collector.receivers.grpc import FEWEST_RECEIVING
from collector.signals import TRACES
from tests.collector.served import CONFIG, Served, a_trace
from tests.polling import wait_until

FEW_PLACES = CONFIG.replace("redaction: {}", "redaction: {}\n  memory_limiter: {limit_mib: 3, spike_limit_mib: 0}").replace(
    "processors: [redaction]", "processors: [memory_limiter, redaction]"
)


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served(FEW_PLACES)
    yield running
    running.close()


def begun(channel: Any, calls: int) -> list[Any]:
    """Begin calls whose message does not come."""
    method = channel.stream_unary(f"/{TRACES.grpc_service}/Export")
    return [method.future(_nothing()) for _ in range(calls)]


def _nothing() -> Iterator[bytes]:
    threading.Event().wait(60)  # in a thread of gRPC's that ends with the process
    yield b""


def test_calls_that_are_dropped_wait_for_no_place(served: Served) -> None:
    """Else whoever begins and resets calls would fill the memory, since a call that is over counts against no limit of gRPC's."""
    listening = served.listeners._receiver
    assert listening is not None
    with grpc.insecure_channel(served.target) as channel:
        holding = begun(channel, FEWEST_RECEIVING)
        wait_until(lambda: listening.receiving == FEWEST_RECEIVING)
        dropped = begun(channel, 20)
        wait_until(lambda: listening.receiving == FEWEST_RECEIVING + 20)
        for call in dropped:
            call.cancel()
        wait_until(lambda: listening.receiving == FEWEST_RECEIVING)
        for call in holding:
            call.cancel()
        wait_until(lambda: listening.receiving == 0)
    served.call(TRACES, a_trace())
    assert served.listeners._limiter.in_flight_bytes == 0


def test_more_calls_than_are_taken_are_to_come_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC's own refusal has no RetryInfo: senders would throw the records away."""
    monkeypatch.setattr(receiver, "MAX_CALLS", 2)
    listening = served.listeners._receiver
    assert listening is not None
    with grpc.insecure_channel(served.target) as channel:
        held = begun(channel, 2)
        wait_until(lambda: listening.receiving == 2)
        with pytest.raises(grpc.RpcError) as refused:
            served.call(TRACES, a_trace())
        error: Any = refused.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" in dict(error.trailing_metadata())
        for call in held:
            call.cancel()
    wait_until(lambda: listening.receiving == 0)
    served.call(TRACES, a_trace())


def test_a_message_is_freed_with_its_call(served: Served) -> None:
    """And not by the garbage collector, a minute later: at 2,500 spans a second that would be 120 MiB."""
    body = a_trace("s" * 100_000)
    served.call(TRACES, body)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _again in range(10):
            served.call(TRACES, body)
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < 5 * len(body)


def test_metadata_is_bounded(served: Served) -> None:
    """A flood of headers is refused by gRPC itself, and other calls on the connection go on."""
    with pytest.raises(grpc.RpcError) as refused:
        served.call(TRACES, a_trace(), *((f"x-flood-{number}", "y" * 1000) for number in range(200)))
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    served.call(TRACES, a_trace())
    assert len(served.batches) == 1
