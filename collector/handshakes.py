"""Connections under TLS: each begins with the certificate of its moment, has little time for its handshake, and counts from the start.

asyncio's own server counts a connection only when its handshake is over, so that half-open ones could take every file descriptor.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from collector.tls import HANDSHAKE_SECONDS

_PAUSE_SECONDS: Final = 0.5


class TlsListener:
    """Accepts connections of a bound socket until it is stopped."""

    def __init__(
        self,
        bound: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        context: Callable[[], ssl.SSLContext],
        has_room: Callable[[int], bool],
        backlog: int,
    ) -> None:
        """`has_room` is asked with the number of handshakes under way whether one connection more may begin."""
        self._socket = bound
        self._protocol = protocol
        self._context = context
        self._has_room = has_room
        self._backlog = backlog
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen; connections are taken from now on."""
        self._socket.setblocking(False)
        self._socket.listen(self._backlog)
        self._accepting = asyncio.create_task(self._accept(), name="tls")

    async def stop(self) -> None:
        """Take no more connections and break off handshakes; what is connected goes on."""
        tasks = [*self._handshakes, *([] if self._accepting is None else [self._accepting])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except ConnectionAbortedError:  # the sender has gone
                continue
            except OSError as error:  # of a process without file descriptors
                structlog.get_logger(__name__).warning("connections are not accepted for a moment", error=error.strerror)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if not self._has_room(len(self._handshakes)):
                connection.close()
                continue
            task = asyncio.create_task(self._shake_hands(connection))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, connection: socket.socket) -> None:
        """Hand the connection over to its protocol; one whose handshake fails is closed, and nobody needs to hear of it."""
        with contextlib.suppress(OSError):  # ssl.SSLError and time-outs among them
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._context(), ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
