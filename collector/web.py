"""Serving an ASGI application with uvicorn inside our own event loop: sockets bound by us, signals handled by us."""

import resource
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import uvicorn

from collector.config import host_port
from collector.connection import BoundedConnection, ConnectionLimits
from collector.errors import PortTaken, Refused
from collector.handshakes import TlsListener

BACKLOG: Final = 1024
OWN_DESCRIPTORS: Final = 256
"""File descriptors that connections must leave free: WAL, catalog, pipes of the children, gRPC."""


def bind(endpoint: str, what: str, *, shared: bool = False) -> socket.socket:
    """Bind `endpoint` without listening yet, `shared` with other processes of ours; raises PortTaken with the remedy."""
    host, port = host_port(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named, as asyncio sets TCP_NODELAY only then: head and body of an answer are two writes, and wait 40 ms for each other
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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
    """Return how many connections of senders this process may hold."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(64, soft - OWN_DESCRIPTORS)


def ignored(_error: Refused) -> None:
    """For servers that count no refusals."""


class WebServer:
    """One uvicorn server on one bound socket. `refused` is told of what never became a request.

    `tls` gives each new connection its context; None: plain HTTP.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        bound: socket.socket,
        *,
        grace_seconds: float,
        limits: ConnectionLimits | None = None,
        refused: Callable[[Refused], None] = ignored,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._socket = bound
        limits = limits or ConnectionLimits(connections=max_connections)
        config = uvicorn.Config(
            application,
            http=partial(BoundedConnection, limits, refused),  # type: ignore[arg-type]  # uvicorn calls it like a class
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=round(limits.idle_seconds),
            timeout_graceful_shutdown=max(1, round(grace_seconds)),
            backlog=BACKLOG,
        )
        config.load()
        self._config = config
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._started = False
        self._listener = None if tls is None else self._tls_listener(tls, limits.connections)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    async def start(self) -> None:
        """Listen; returns when connections are taken."""
        await self._server.startup(sockets=[self._socket] if self._listener is None else [])
        if self._listener is not None:
            self._listener.start()
        self._started = True

    async def stop(self) -> None:
        """Close the socket, let requests under way end within the grace time, then cut what is left."""
        if self._started and self._listener is not None:
            await self._listener.stop()
        if self._started:
            await self._server.shutdown(sockets=[self._socket])
        self._socket.close()

    def _tls_listener(self, context: Callable[[], ssl.SSLContext], most: Callable[[], int]) -> TlsListener:
        state = self._server.server_state

        def protocol() -> BoundedConnection:
            made = self._config.http_protocol_class(config=self._config, server_state=state, app_state={})  # type: ignore[call-arg]
            assert isinstance(made, BoundedConnection)  # noqa: S101 - it was given to uvicorn above
            return made

        def has_room(handshakes: int) -> bool:
            return len(state.connections) + handshakes < most()

        return TlsListener(self._socket, protocol, context=context, has_room=has_room, backlog=BACKLOG)
