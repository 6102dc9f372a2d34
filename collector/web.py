"""Serving an ASGI application with uvicorn inside our own event loop: sockets bound by us, signals handled by us.

uvicorn bounds neither how long a request's head may take, nor how long it may be, nor how many connections there are; we do, so that
slow or greedy clients cannot take the memory or the file descriptors that the WAL needs.
"""

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.config import host_port
from collector.errors import PortTaken

BACKLOG: Final = 1024
KEEP_ALIVE_SECONDS: Final = 75
HEAD_SECONDS: Final = 20.0
HEAD_BYTES: Final = 128 << 10
OWN_DESCRIPTORS: Final = 256
"""File descriptors that connections must leave free: WAL, catalog, pipes of the children, gRPC."""


def bind(endpoint: str, what: str) -> socket.socket:
    """Bind `endpoint` without listening yet; raises PortTaken with the remedy."""
    host, port = host_port(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise port_error(endpoint, what, error.strerror or "cannot bind") from None
    return bound


def port_error(endpoint: str, what: str, why: str) -> PortTaken:
    """Return the error for an endpoint that cannot be listened on."""
    return PortTaken(
        f"listen for {what}",
        f"{endpoint}: {why.lower()}",
        hint="stop the process that uses the port, or change the endpoint in the configuration",
    )


def max_connections() -> int:
    """Return how many HTTP connections this process may hold."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, soft - OWN_DESCRIPTORS)


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed when its head is late or too long, or when there are too many connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection and start its clock."""
        super().connection_made(transport)
        self._bare_bytes = 0
        self._progressed = False
        self._late: asyncio.TimerHandle | None = None
        if len(self.connections) > max_connections():
            transport.abort()
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what came since a head was whole or a part of a body came: heads, trailers and chunk extensions are bounded alike."""
        self._progressed = False
        super().data_received(data)
        self._bare_bytes = 0 if self._progressed else self._bare_bytes + len(data)
        if self._bare_bytes > HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._start_clock()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._progressed = True
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body came."""
        self._progressed = True
        super().on_body(body)

    def _start_clock(self) -> None:
        self._bare_bytes = 0
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class WebServer:
    """One uvicorn server on one bound socket."""

    def __init__(self, application: Callable[..., Any], bound: socket.socket, *, grace_seconds: float) -> None:
        self._socket = bound
        config = uvicorn.Config(
            application,
            http=BoundedConnection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
            backlog=BACKLOG,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._started = False

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen; returns when connections are taken."""
        await self._server.startup(sockets=[self._socket])
        self._started = True

    async def stop(self) -> None:
        """Close the socket, let requests under way end within the grace time, then cut what is left."""
        if self._started:
            await self._server.shutdown(sockets=[self._socket])
        self._socket.close()
