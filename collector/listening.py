"""The receivers of one collector: bound first, started last, stopped first."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import structlog

from collector.admission import MemoryLimiter
from collector.config import Config, host_port
from collector.config_receivers import GrpcConfig, HttpConfig
from collector.connection import ConnectionLimits
from collector.cors import Cors
from collector.doors import Doors
from collector.errors import CollectorError, Refused, Unavailable
from collector.health import HealthApp
from collector.instruments import CONNECTIONS, IN_FLIGHT, RECEIVING, RECEIVING_PLACES, Reading
from collector.pipeline import Pipeline
from collector.receipts import Answer
from collector.receivers.events import BodyEncoding
from collector.receivers.grpc import GrpcLimits, GrpcReceiver, open_server
from collector.receivers.http import HttpLimits, HttpReceiver
from collector.sender import ANONYMOUS, Sender
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from collector.tasks import background
from collector.web import WebServer, bind, max_connections, port_error

GRACE_SECONDS: Final = 2.0
BODY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports that are listened on; None where a receiver is off. They differ from the configuration where that says port 0."""

    grpc: int | None
    http: int | None
    health: int | None


class Gate:
    """What receivers hand requests to: the pipeline while it is open, a retryable refusal before and after."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests are taken."""
        return self.pipeline is not None

    async def export(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender = ANONYMOUS) -> Answer:
        """As `Pipeline.export`; raises Unavailable while closed."""
        return await self._opened().export(signal, encoding, body, sender)

    async def take(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender, *, begun: float) -> Answer:
        """As `Pipeline.take`; raises Unavailable while closed."""
        return await self._opened().take(signal, encoding, body, sender, begun=begun)

    def refused(self, error: Refused) -> None:
        """As `Pipeline.refused`."""
        if self.pipeline is not None:
            self.pipeline.refused(error)

    def _opened(self) -> Pipeline:
        if self.pipeline is None:
            raise Unavailable("the collector is starting or stopping: send again later")
        return self.pipeline


class Listeners:
    """The bound ports of a configuration, and who may send there: `doors`, which `bind` opens."""

    doors: Doors

    def __init__(self, config: Config, *, shared: bool = False) -> None:
        """`shared`: other processes of ours listen on the same ports, and the kernel hands each connection to one of them."""
        self._config = config
        self._shared = shared
        self._sockets: dict[str, socket.socket] = {}
        self._servers: list[WebServer] = []
        self._grpc: Any = None
        self._receiver: GrpcReceiver | None = None
        self._grpc_port: int | None = None
        self.gate = Gate()
        self._limit_bytes = config.memory_limiter.limit_bytes if config.memory_limiter else None
        self._limiter = MemoryLimiter(self._limit_bytes)
        self._watching: asyncio.Task[None] | None = None

    @property
    def ports(self) -> Ports:
        """The ports, known after `bind`."""
        numbers = {name: int(bound.getsockname()[1]) for name, bound in self._sockets.items()}
        return Ports(grpc=self._grpc_port, http=numbers.get("http"), health=numbers.get("health"))

    def bind(self) -> None:
        """Bind all ports; nothing is answered yet. Raises PortTaken, and CollectorError when a file of credentials or certificates
        cannot be used; nothing is left bound then.
        """
        self.doors = Doors(self._config)
        for warning in self.doors.warnings():
            structlog.get_logger(__name__).warning(warning)
        http, grpc, health = self._config.otlp.http, self._config.otlp.grpc, self._config.health_check
        try:
            if http is not None:
                self._sockets["http"] = bind(http.endpoint, "OTLP/HTTP", shared=self._shared)
            if health is not None:
                self._sockets["health"] = bind(health.endpoint, "health checks")
            if grpc is not None:
                self._bind_grpc(grpc)
        except CollectorError:
            self.close()
            raise

    def readings(self) -> Iterator[Reading]:
        """Yield what is under way."""
        yield Reading(IN_FLIGHT, self._limiter.in_flight_bytes)
        for name, server in zip(self._sockets, self._servers, strict=False):  # no servers before the start
            yield Reading(CONNECTIONS, server.connections, (("listener", name),))
        if self._receiver is not None:
            yield Reading(RECEIVING, self._receiver.receiving)
            yield Reading(RECEIVING_PLACES, self._receiver.places)

    def close(self) -> None:
        """Give back what was bound and never started."""
        for bound in self._sockets.values():
            bound.close()

    async def start(self, pipeline: Pipeline, health: HealthApp | None) -> None:
        """Answer from now on."""
        self.gate.pipeline = pipeline
        http = self._config.otlp.http
        if http is not None:
            paths = {http.traces_url_path: TRACES, http.logs_url_path: LOGS, http.metrics_url_path: METRICS}
            paths[http.events_url_path] = LOGS
            taken = {path: signal for path, signal in paths.items() if signal.name in self._config.signals}
            receiver = HttpReceiver(
                self.gate,
                self._limiter,
                paths=taken,
                limits=_limits(http),
                events_path=http.events_url_path,
                headers=_headers(http),
                doorkeeper=self.doors.doorkeeper("http"),
                quotas=self.doors.quotas,
            )
            certificates = self.doors.certificates("http")
            self._servers.append(
                WebServer(
                    receiver if http.cors is None else Cors(receiver, http.cors),
                    self._sockets["http"],
                    grace_seconds=GRACE_SECONDS,
                    limits=_connection_limits(http, self._most_connections),
                    refused=self.gate.refused,
                    tls=None if certificates is None else lambda: certificates.context,
                )
            )
        if health is not None and "health" in self._sockets:
            self._servers.append(WebServer(health, self._sockets["health"], grace_seconds=1.0))
        for server in self._servers:
            await server.start()
        if self._grpc is not None:
            await self._grpc.start()
        self._watching = background("doors", self.doors.watch())

    async def stop(self) -> None:
        """Take no new requests, let those under way end."""
        if self._watching is not None:
            self._watching.cancel()
        if self._grpc is not None:
            await self._grpc.stop(GRACE_SECONDS)
        for server in self._servers:
            await server.stop()
        self.gate.pipeline = None

    def _most_connections(self) -> int:
        """Return how many connections one protocol may hold: both together leave file descriptors for everything else."""
        return max_connections() // sum(protocol is not None for protocol in (self._config.otlp.grpc, self._config.otlp.http))

    def _bind_grpc(self, config: GrpcConfig) -> None:
        endpoint = config.endpoint
        bind(endpoint, "OTLP/gRPC", shared=self._shared).close()  # for a clear error: gRPC's own says nothing
        signals = [signal for signal in SIGNALS.values() if signal.name in self._config.signals]
        limits = GrpcLimits.within(self._limit_bytes, message_bytes=config.max_recv_msg_size_mib << 20, seconds=BODY_SECONDS)
        self._receiver = GrpcReceiver(
            self.gate,
            self._limiter,
            signals=signals,
            limits=limits,
            doorkeeper=self.doors.doorkeeper("grpc"),
            quotas=self.doors.quotas,
        )
        self._grpc = open_server(self._receiver, limits=limits, config=config, connections=self._most_connections(), shared=self._shared)
        host, port = host_port(endpoint)
        address, certificates = f"[{host}]:{port}" if ":" in host else f"{host}:{port}", self.doors.certificates("grpc")
        try:
            if certificates is None:
                self._grpc_port = self._grpc.add_insecure_port(address)
            else:
                self._grpc_port = self._grpc.add_secure_port(address, certificates.grpc_credentials())
        except RuntimeError:
            raise port_error(endpoint, "OTLP/gRPC", "address already in use") from None


def _limits(http: HttpConfig) -> HttpLimits:
    return HttpLimits(
        body_bytes=http.max_request_body_size, body_seconds=http.read_timeout, codings=tuple(dict.fromkeys(http.compression_algorithms))
    )


def _connection_limits(http: HttpConfig, connections: Callable[[], int]) -> ConnectionLimits:
    return ConnectionLimits(
        head_seconds=http.read_header_timeout,
        idle_seconds=http.idle_timeout,
        unread_seconds=http.write_timeout,
        connections=connections,
    )


def _headers(http: HttpConfig) -> list[tuple[bytes, bytes]]:
    added = [(name.lower().encode(), value.encode()) for name, value in http.response_headers.items()]
    return added if http.keep_alives_enabled else [*added, (b"connection", b"close")]
