"""A witness over a real socket, in a thread of the test's process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from collector.web import WebServer, bind
from collector.witness_app import WitnessApp
from storage.ledger.witness import Witness


@contextmanager
def served(witness: Witness) -> Iterator[str]:
    """Serve a witness and yield its submission prefix."""
    ready, ports, ends = threading.Event(), list[int](), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def run() -> None:
        stop = asyncio.Event()
        server = WebServer(WitnessApp(witness), bind("127.0.0.1:0", "the witness"), grace_seconds=1)
        await server.start()
        ports.append(server.port)
        ends.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
