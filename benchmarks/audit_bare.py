"""What gRPC costs by itself: a grpc.aio server that reads each message and answers at once, under the load of `benchmarks.audit`.

Nothing is parsed, redacted or written there, so no collector on grpc.aio can be faster on the same machine.
"""

import asyncio
import contextlib
import multiprocessing
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import grpc
import psutil
import uvloop

from collector.signals import LOGS


@contextmanager
def bare_server() -> Iterator[tuple[str, psutil.Process]]:
    """Run one in a process of its own; yields where it listens and its process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    theirs.close()
    try:
        yield f"127.0.0.1:{ours.recv()}", psutil.Process(process.pid)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection) -> None:
    uvloop.run(_until_closed(pipe))


async def _until_closed(pipe: Connection) -> None:
    async def export(_messages: AsyncIterator[bytes], context: Any) -> bytes:
        await context.read()
        return b""

    server = grpc.aio.server()
    methods = {"Export": grpc.stream_unary_rpc_method_handler(export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(LOGS.grpc_service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pipe.send(port)
    with contextlib.suppress(EOFError):
        await asyncio.to_thread(pipe.recv)
    await server.stop(None)
