"""A witness over a real socket, in a thread of the test's process; the log that it knows, and both as fixtures."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from collector.witness_app import web_server
from collector.witness_doors import WitnessDoors, WitnessEndpoint
from storage.ledger.witness import Witness
from tests.storage.ledger.written_log import NOW_S, ORIGIN, WrittenLog


@pytest.fixture
def log(tmp_path: Path) -> WrittenLog:
    """A log in a lake of its own."""
    return WrittenLog(tmp_path / "lake")


@pytest.fixture
def witness(tmp_path: Path, log: WrittenLog) -> Iterator[Witness]:
    """A witness that knows it."""
    made = Witness(tmp_path / "witness", "example.com/w", {ORIGIN: [log.signer.verifier]}, clock=lambda: NOW_S)
    yield made
    made.close()


@contextmanager
def served(witness: Witness, section: WitnessEndpoint | None = None) -> Iterator[str]:
    """Serve a witness and yield its submission prefix."""
    ready, ports, ends = threading.Event(), list[int](), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
    section = section or WitnessEndpoint(endpoint="127.0.0.1:0")
    doors = WitnessDoors(section)

    async def run() -> None:
        stop = asyncio.Event()
        server = web_server(witness, section, doors)
        await server.start()
        ports.append(server.port)
        ends.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: uvloop.run(run()), daemon=True)  # as `auditlake witness` runs
    thread.start()
    assert ready.wait(10)
    try:
        yield f"{'http' if section.tls is None else 'https'}://127.0.0.1:{ports[0]}"
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
