"""Serving an ASGI application with uvicorn inside our own event loop: sockets bound by us, signals handled by us."""

import socket
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from collector.config import host_port
from collector.errors import PortTaken

BACKLOG: Final = 1024
KEEP_ALIVE_SECONDS: Final = 75


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


class WebServer:
    """One uvicorn server on one bound socket."""

    def __init__(self, application: Callable[..., Any], bound: socket.socket, *, grace_seconds: float) -> None:
        self._socket = bound
        config = uvicorn.Config(
            application,
            http="httptools",
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
