"""The ports that several workers share: proved to be free, then kept, so that their number stays and nobody else takes them.

SO_REUSEPORT lets every process of the same user join in, also one that has nothing to do with us. So the parent binds each port alone
first, which fails while anybody listens there, and only then with sharing allowed. What it holds does not listen: the kernel hands no
connection to it. Two parents that start at the same moment are told apart by a name in the kernel that only one of them can have.
"""

import os
import socket
import sys
from dataclasses import replace
from typing import Final, TypeVar

from collector.config import Config, host_port
from collector.config_receivers import GrpcConfig, HttpConfig
from collector.errors import CollectorError
from collector.listening import Ports
from collector.web import bind, port_error

_LISTENED: Final = {"http": "OTLP/HTTP", "grpc": "OTLP/gRPC"}
Protocol = TypeVar("Protocol", GrpcConfig, HttpConfig)


class Reservation:
    """The bound ports of a configuration. `take` raises PortTaken and leaves nothing bound."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sockets: dict[str, socket.socket] = {}
        self._names: list[socket.socket] = []

    def take(self) -> None:
        """Bind every port, and the one of the health answers for ourselves alone."""
        if sys.platform != "linux":
            hint = "elsewhere run several collectors behind a load balancer, see docs/deployment.md"
            raise CollectorError("start several workers", None, hint=f"only Linux spreads connections over processes: {hint}")
        try:
            for name, what in _LISTENED.items():
                section = getattr(self._config.otlp, name)
                if section is not None:
                    self._sockets[name] = self._reserve(section.endpoint, what)
            if self._config.health_check is not None:
                self._sockets["health"] = bind(self._config.health_check.endpoint, "health checks")
        except CollectorError:
            self.close()
            raise

    def close(self) -> None:
        """Give the ports back."""
        for held in (*self._sockets.values(), *self._names):
            held.close()
        self._sockets.clear()
        self._names.clear()

    @property
    def ports(self) -> Ports:
        """The ports; they differ from the configuration where that says port 0."""
        numbers = {name: int(held.getsockname()[1]) for name, held in self._sockets.items()}
        return Ports(grpc=numbers.get("grpc"), http=numbers.get("http"), health=numbers.get("health"))

    @property
    def health(self) -> socket.socket | None:
        """The socket of the health answers."""
        return self._sockets.get("health")

    def share(self, config: Config, parts: int) -> Config:
        """Return what one of so many workers runs by: the reserved ports, its part of the memory, and no health answers."""
        protocols = config.otlp.model_copy(
            update={
                "http": _at(config.otlp.http, self.ports.http),
                "grpc": _at(config.otlp.grpc, self.ports.grpc),
            }
        )
        limiter = None if config.memory_limiter is None else config.memory_limiter.share(parts)
        return replace(config, otlp=protocols, memory_limiter=limiter, health_check=None)

    def _reserve(self, endpoint: str, what: str) -> socket.socket:
        held = bind(endpoint, what)
        host, port = held.getsockname()[:2]
        name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._names.append(name)
        try:
            name.bind(f"\0auditlake/{os.getuid()}/{host}/{port}")
        except OSError:
            held.close()
            raise port_error(endpoint, what, "workers of another collector are starting there") from None
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return held


def _at(section: Protocol | None, port: int | None) -> Protocol | None:
    """Return the section with the port that was reserved."""
    if section is None or port is None:
        return None
    host, _ = host_port(section.endpoint)
    return section.model_copy(update={"endpoint": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"})
