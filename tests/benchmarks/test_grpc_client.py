"""The client of the load generator speaks gRPC as a collector understands it, also when a message is larger than a window."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from benchmarks.grpc_client import GrpcConnection
from collector.signals import TRACES
from tests.collector.served import LIMIT_BYTES, Served, a_trace


@pytest.fixture
def served() -> Iterator[Served]:
    running = Served()
    yield running
    running.close()


def over_one_connection(served: Served, work: Callable[[GrpcConnection], Awaitable[None]]) -> None:
    async def main() -> None:
        port = served.listeners.ports.grpc or 0
        method = f"/{TRACES.grpc_service}/Export"
        connect = asyncio.get_running_loop().create_connection
        _, connection = await connect(lambda: GrpcConnection(served.target, method), "127.0.0.1", port)
        try:
            await asyncio.wait_for(work(connection), 20)
        finally:
            connection.close()
            await asyncio.sleep(0)

    asyncio.run(main())


def test_calls_are_stored_and_refusals_told(served: Served) -> None:
    async def work(connection: GrpcConnection) -> None:
        for body, stored in ((a_trace("one"), True), (a_trace("two")[:-3], False), (a_trace("three"), True)):
            assert await connection.call(body) is stored

    over_one_connection(served, work)
    assert [header.records for header, _ in served.batches] == [1, 1]


def test_a_message_larger_than_a_window_arrives_whole(served: Served) -> None:
    text = "x" * (LIMIT_BYTES * 3 // 4)

    async def work(connection: GrpcConnection) -> None:
        for name in (text, text + "y"):
            assert await connection.call(a_trace(name))

    over_one_connection(served, work)
    assert [len(payload) > len(text) for _, payload in served.batches] == [True, True]


def test_a_server_that_is_gone_ends_the_call() -> None:
    served = Served()

    async def work(connection: GrpcConnection) -> None:
        assert await connection.call(a_trace())
        await asyncio.to_thread(served.close)
        with pytest.raises(ConnectionError):
            await connection.call(a_trace("late"))

    over_one_connection(served, work)
