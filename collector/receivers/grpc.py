"""OTLP/gRPC: the three Export methods as generic byte handlers, so that a malformed message is answered by us (OTLP 1.11, "OTLP/gRPC").

gRPC would receive and inflate a message before anybody can say that there is no room for it. So its own decompression is off, and a
message is read only when one of a few places is free; it is inflated here, step by step against its reservation. A refusal that may be
retried carries RetryInfo in its details: without it, senders do not retry RESOURCE_EXHAUSTED.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn, Self
from urllib.parse import unquote

import grpc
import structlog

from collector.admission import MEMORY_PER_BYTE, MemoryLimiter, Reservation
from collector.authentication import Doorkeeper, authorization_of
from collector.config_receivers import GrpcConfig
from collector.detached import detached
from collector.errors import Malformed, Overloaded, Refused, TooLarge, TooSlow
from collector.lines import Lines
from collector.quotas import UNLIMITED, Quotas
from collector.receipts import HEADER
from collector.receivers.compression import Body, compression_of
from collector.receivers.encoding import Encoding
from collector.receivers.http import Exporter
from collector.receivers.weight import reserve_parsed
from collector.sender import ANONYMOUS, Sender
from collector.signals import Signal
from collector.status import answer, status_message, where
from collector.tls import HANDSHAKE_SECONDS

_Read = Callable[[], Awaitable[object]]
"""Reads the next message of a call: bytes, or gRPC's mark that there is none."""
_DETAILS_KEY: Final = "grpc-status-details-bin"
_INT_MAX: Final = 2**31 - 1
MAX_CALLS: Final = 1024
"""Calls at a time, nearly all of them waiting for a place; gRPC holds a window of each (64 KiB, more on fast connections)."""
_MOST_CALLS: Final = 4 * MAX_CALLS
"""Where gRPC itself refuses, without RetryInfo: senders would not send such a request again."""
FEWEST_RECEIVING: Final = 4
MOST_RECEIVING: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcLimits:
    """How large a message may be, before and after decompression, how many are received at once, and how long that may take."""

    message_bytes: int
    receiving: int
    seconds: float

    @classmethod
    def within(cls, limit_bytes: int | None, *, message_bytes: int, seconds: float) -> Self:
        """Derive the limits from the memory limiter's: a message that could never be reserved is too large; all places take half of it."""
        if limit_bytes is None:
            return cls(message_bytes=message_bytes, receiving=MOST_RECEIVING, seconds=seconds)
        possible = min(message_bytes, limit_bytes // MEMORY_PER_BYTE)
        receiving = limit_bytes // (2 * possible)
        return cls(message_bytes=possible, receiving=min(max(receiving, FEWEST_RECEIVING), MOST_RECEIVING), seconds=seconds)


class _Arrived(NamedTuple):
    """A message that is whole; `held` gives back what is reserved for it."""

    signal: Signal
    sender: Sender
    message: bytes
    largest: int
    begun: float  # when it was whole (perf_counter)
    reservation: Reservation
    held: contextlib.ExitStack


class GrpcReceiver(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Handles `Export` of the given signals; what it does not know is UNIMPLEMENTED."""

    def __init__(
        self,
        exporter: Exporter,
        limiter: MemoryLimiter,
        *,
        signals: Iterable[Signal],
        limits: GrpcLimits,
        doorkeeper: Doorkeeper | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """`doorkeeper` None: nobody has to authenticate; `quotas` None: nobody has a limit of his own."""
        self._doorkeeper = doorkeeper
        self._quotas = quotas
        self._exporter = exporter
        self._limiter = limiter
        self._limits = limits
        self._places = asyncio.Semaphore(limits.receiving)
        self._lines = None if doorkeeper is None else Lines(limits.receiving, MAX_CALLS)
        self.places = limits.receiving
        """Messages that may be received at a time."""
        self._calls = 0
        self.receiving = 0
        """Messages that are being received, or wait for a place to be."""
        self._methods = {f"/{signal.grpc_service}/Export": self._method(signal) for signal in signals}

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a method, None when it is not ours."""
        return self._methods.get(handler_call_details.method)

    def _method(self, signal: Signal) -> Any:
        async def export(_messages: AsyncIterator[bytes], context: Any) -> bytes:
            sender = ANONYMOUS
            self._calls += 1
            try:
                if self._calls > MAX_CALLS:
                    raise Overloaded("too many calls are under way: send again later")
                if self._doorkeeper is not None:
                    sender = await self._doorkeeper.sender(authorization_of(context.invocation_metadata()))
                response, receipt = await self._export(signal, context.read, sender)
                if receipt is not None:
                    context.set_trailing_metadata(((HEADER, receipt),))
                return response
            except Refused as error:
                error.sender_name, error.peer = sender.name, peer_of(context.peer())
                error.__traceback__ = None  # its frames hold the message, which is reserved no longer
                self._exporter.refused(error)
                await _abort(context, error)
            except Exception as error:  # noqa: BLE001 - the boundary of a request: one must not end the receiver
                structlog.get_logger(__name__).error("request failed", method=signal.name, error=type(error).__name__, where=where(error))
                await _abort(context, error)
            finally:
                self._calls -= 1

        handler: Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]] = export
        return grpc.stream_unary_rpc_method_handler(handler)  # senders see no difference; it leaves the reading to us

    async def _export(self, signal: Signal, read: _Read, sender: Sender) -> tuple[bytes, str | None]:
        """A sender that goes away gives back its place, or ends its wait for one; what had arrived by then is stored."""
        largest = UNLIMITED if self._quotas is None else self._quotas.take(sender, 0)
        with contextlib.ExitStack() as held:
            reservation = held.enter_context(self._limiter.reserve(None if self._lines is None else sender.account))
            message = await self._receive(read, sender)
            begun = time.perf_counter()
            reservation.grow_to(len(message))
            arrived = _Arrived(signal, sender, message, min(largest, self._limits.message_bytes), begun, reservation, held.pop_all())
            return await detached(self._store(arrived))

    async def _store(self, arrived: "_Arrived") -> tuple[bytes, str | None]:
        signal, sender, message, largest, begun, reservation, held = arrived
        with held:
            body = await self._inflate(message, reservation.grow_to, largest)
            if self._quotas is not None:
                self._quotas.settle(sender, 0, len(body))
            await reserve_parsed(reservation, Encoding.PROTOBUF, body)
            response = await self._exporter.take(signal, Encoding.PROTOBUF, body, sender, begun=begun)
        return bytes(response.message.SerializeToString()), response.receipt

    async def _receive(self, read: _Read, sender: Sender) -> bytes:
        """Wait for a place, and read the message there; gRPC's iterator would hold it in a cycle of references."""
        self.receiving += 1
        try:
            async with contextlib.AsyncExitStack() as held:
                await self._free_place(sender, held)
                async with asyncio.timeout(self._limits.seconds):
                    message = await read()
        except TimeoutError:
            raise TooSlow(f"the message did not arrive within {self._limits.seconds:g} seconds") from None
        finally:
            self.receiving -= 1
        if not isinstance(message, bytes):
            raise Malformed("there is no message, or it is too large")
        return message

    async def _free_place(self, sender: Sender, held: contextlib.AsyncExitStack) -> None:
        line = None if self._lines is None else self._lines.of(sender.account)
        try:
            async with asyncio.timeout(self._limits.seconds if line is not None or self._places.locked() else None):
                if line is not None:
                    await held.enter_async_context(line)
                await held.enter_async_context(self._places)
        except TimeoutError:
            raise Overloaded("too many messages are being received: send again later") from None

    async def _inflate(self, message: bytes, reserve: Callable[[int], None], largest: int) -> bytes:
        compression = compression_of(message)
        if not compression:
            if len(message) > largest:
                raise TooLarge(f"the message is larger than {largest} bytes")
            return message
        body = Body(compression, largest, reserve)
        await body.take(message)
        return await body.whole()


def open_server(receiver: GrpcReceiver, *, limits: GrpcLimits, config: GrpcConfig, connections: int, shared: bool = False) -> Any:
    """Return a grpc.aio server that is not yet bound; a port that is taken fails to bind, unless it is `shared`.

    It holds at most so many `connections`, those that have not said anything yet among them; further ones are closed at once.
    """
    options = [
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", _milliseconds(HANDSHAKE_SECONDS)),
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.per_message_decompression", 0),
        *_connection_options(config),
    ]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=_MOST_CALLS)
    server.add_generic_rpc_handlers((receiver,))
    return server


def _connection_options(config: GrpcConfig) -> Iterator[tuple[str, int]]:
    """Yield the options of gRPC that stand for the keys of a configuration; what is not set stays gRPC's default."""
    connections, pings = config.keepalive.server_parameters, config.keepalive.enforcement_policy
    yield "grpc.http2.min_ping_interval_without_data_ms", _milliseconds(pings.min_time)
    yield "grpc.keepalive_permit_without_calls", int(pings.permit_without_stream)
    for name, seconds in (
        ("grpc.max_connection_idle_ms", connections.max_connection_idle),
        ("grpc.max_connection_age_ms", connections.max_connection_age),
        ("grpc.max_connection_age_grace_ms", connections.max_connection_age_grace),
        ("grpc.keepalive_time_ms", connections.time),
        ("grpc.keepalive_timeout_ms", connections.timeout),
        ("grpc.http2.ping_timeout_ms", connections.timeout),
    ):
        if seconds is not None:
            yield name, _milliseconds(seconds)
    if config.max_concurrent_streams is not None:
        yield "grpc.max_concurrent_streams", config.max_concurrent_streams


def _milliseconds(seconds: float) -> int:
    return min(round(seconds * 1000), _INT_MAX)


def peer_of(name: str) -> str | None:
    """Return the IP address in gRPC's name of a peer (`ipv4:192.0.2.1:40112`, `ipv6:%5B2001:db8::1%5D:40112`); None for a local socket."""
    kind, _, rest = unquote(name).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else None


async def _abort(context: Any, error: Exception) -> NoReturn:
    status = status_message(error)
    await context.abort(answer(error).grpc, status.message, ((_DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort always raises")
