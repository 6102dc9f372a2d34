"""OTLP/gRPC: the three Export methods as generic byte handlers, so that a malformed message is answered by us (OTLP 1.11, "OTLP/gRPC").

gRPC itself decompresses and bounds the size after decompression (RESOURCE_EXHAUSTED). A refusal that may be retried carries RetryInfo
in its details: without it, senders do not retry RESOURCE_EXHAUSTED.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NoReturn

import grpc
import structlog

from collector.admission import MemoryLimiter
from collector.errors import Refused
from collector.receivers.encoding import Encoding
from collector.receivers.http import Exporter
from collector.signals import Signal
from collector.status import answer, status_message, where

_DETAILS_KEY: Final = "grpc-status-details-bin"


class GrpcReceiver(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Handles `Export` of the given signals; what it does not know is UNIMPLEMENTED."""

    def __init__(self, exporter: Exporter, limiter: MemoryLimiter, *, signals: Iterable[Signal]) -> None:
        self._exporter = exporter
        self._limiter = limiter
        self._methods = {f"/{signal.grpc_service}/Export": self._method(signal) for signal in signals}

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a method, None when it is not ours."""
        return self._methods.get(handler_call_details.method)

    def _method(self, signal: Signal) -> Any:
        async def export(body: bytes, context: Any) -> bytes:
            try:
                with self._limiter.reserve() as reservation:
                    reservation.grow_to(len(body))
                    response = await self._exporter.export(signal, Encoding.PROTOBUF, body)
                return bytes(response.SerializeToString())
            except Refused as error:
                self._exporter.refused(error)
                await _abort(context, error)
            except Exception as error:  # noqa: BLE001 - the boundary of a request: one must not end the receiver
                structlog.get_logger(__name__).error("request failed", method=signal.name, error=type(error).__name__, where=where(error))
                await _abort(context, error)

        handler: Callable[[bytes, Any], Awaitable[bytes]] = export
        return grpc.unary_unary_rpc_method_handler(handler)


def open_server(receiver: GrpcReceiver, *, max_message_bytes: int, max_concurrent_streams: int | None) -> Any:
    """Return a grpc.aio server that is not yet bound; a port that is taken fails to bind instead of being shared."""
    options: list[tuple[str, int]] = [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if max_concurrent_streams is not None:
        options.append(("grpc.max_concurrent_streams", max_concurrent_streams))
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers((receiver,))
    return server


async def _abort(context: Any, error: Exception) -> NoReturn:
    status = status_message(error)
    await context.abort(answer(error).grpc, status.message, ((_DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort always raises")
