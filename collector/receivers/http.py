"""OTLP/HTTP: a plain ASGI application, protobuf and JSON on one port (OTLP 1.11, "OTLP/HTTP").

An answer has the Content-Type of its request; every failure is a google.rpc.Status. The body is decompressed and counted while it
arrives, so neither a gzip bomb nor a slow sender holds more than was reserved for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from collector.admission import JSON_MEMORY_PER_BYTE, MEMORY_PER_BYTE, MemoryLimiter
from collector.authentication import Doorkeeper, authorization_of
from collector.errors import Malformed, MethodNotAllowed, Refused, TooLarge, TooSlow, Unauthenticated, UnknownPath, UnsupportedMedia
from collector.quotas import Quotas
from collector.receipts import HEADER, Answer
from collector.receivers.compression import CODINGS, Body
from collector.receivers.encoding import Encoding, encode_response, encode_status, encoding_of
from collector.receivers.events import MAX_BYTES as MAX_EVENTS_BYTES
from collector.receivers.events import BodyEncoding, events_encoding_of
from collector.receivers.weight import reserve_parsed
from collector.sender import ANONYMOUS, Sender
from collector.signals import Signal
from collector.status import answer, retry_seconds, status_message, where

_RECEIPT = HEADER.encode()
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Exporter(Protocol):
    """What a receiver hands requests to: `collector.pipeline.Pipeline`."""

    async def export(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender = ...) -> Answer: ...
    async def take(self, signal: Signal, encoding: BodyEncoding, body: bytes, sender: Sender, *, begun: float) -> Answer: ...
    def refused(self, error: Refused) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a request may be: its size after decompression, how long its body may take, and in which encodings that comes."""

    body_bytes: int
    body_seconds: float
    codings: tuple[str, ...] = ("", *CODINGS)


class HttpReceiver:
    """The ASGI application. `paths` maps a URL path to its signal."""

    def __init__(
        self,
        exporter: Exporter,
        limiter: MemoryLimiter,
        *,
        paths: Mapping[str, Signal],
        limits: HttpLimits,
        events_path: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        doorkeeper: Doorkeeper | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """At `events_path`, which is among `paths`, plain events are taken. `headers` are added to every answer.

        `doorkeeper` None: nobody has to authenticate; `quotas` None: nobody has a limit of his own.
        """
        self._doorkeeper = doorkeeper
        self._quotas = quotas
        self._exporter = exporter
        self._limiter = limiter
        self._paths = paths
        self._events_path = events_path
        self._limits = limits
        self._headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; never raises, except when the sender has gone."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        encoding = Encoding.JSON  # of failures, until the request says another
        incoming = _Incoming(receive, waits="expect" in headers)
        send = self._adding(send)
        sender = ANONYMOUS
        is_event = scope["path"] == self._events_path
        try:
            if not is_event:
                with contextlib.suppress(UnsupportedMedia):
                    encoding = encoding_of(headers.get("content-type", ""))
            if self._doorkeeper is not None:
                sender = await self._doorkeeper.sender(authorization_of(scope["headers"]))
            signal = self._route(scope)
            sent = headers.get("content-type", "")
            body_encoding: BodyEncoding = events_encoding_of(sent) if is_event else (encoding := encoding_of(sent))
            if scope["http_version"] == "1.0" and "content-length" not in headers:  # what follows would be taken for no body at all
                raise Malformed("a request of HTTP/1.0 needs Content-Length")
            max_body_bytes = min(self._limits.body_bytes, MAX_EVENTS_BYTES) if is_event else self._limits.body_bytes
            if self._quotas is not None:
                max_body_bytes = min(max_body_bytes, self._quotas.take(sender, _announced_bytes(headers)))
            with self._limiter.reserve(None if self._doorkeeper is None else sender.account) as reservation:
                memory_per_byte = JSON_MEMORY_PER_BYTE if encoding is Encoding.JSON else MEMORY_PER_BYTE
                body = await self._read(incoming, headers, partial(reservation.grow_to, memory_per_byte=memory_per_byte), max_body_bytes)
                if self._quotas is not None:
                    self._quotas.settle(sender, _announced_bytes(headers), len(body))
                await reserve_parsed(reservation, body_encoding, body)
                response = await self._exporter.export(signal, body_encoding, body, sender)
            receipt = [] if response.receipt is None else [(_RECEIPT, response.receipt.encode())]
            await _respond(send, 200, encoding, encode_response(signal, response.message, encoding), receipt)
        except _SenderGone:
            return
        except Refused as error:
            error.sender_name, error.peer = sender.name, _peer(scope)
            error.__traceback__ = None  # its frames hold the body, which is reserved no longer
            self._exporter.refused(error)
            await _fail(send, error, encoding, self._more_headers(error, incoming))
        except Exception as error:  # noqa: BLE001 - the boundary of a request: one must not end the receiver
            path = scope["path"] if scope["path"] in self._paths else "unknown"  # what is asked for may hold anything
            structlog.get_logger(__name__).error("request failed", path=path, error=type(error).__name__, where=where(error))
            await _fail(send, error, encoding, self._more_headers(error, incoming))

    def _adding(self, send: Send) -> Send:
        """Return `send`, with the configured headers in every answer."""
        if not self._headers:
            return send

        async def add(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        return add

    def _more_headers(self, error: Exception, incoming: "_Incoming") -> list[tuple[bytes, bytes]]:
        """Return what a refusal says about this receiver and this connection."""
        headers = []
        if isinstance(error, UnsupportedMedia):  # RFC 9110 section 15.5.16
            headers.append((b"accept-encoding", ", ".join(coding or "identity" for coding in self._limits.codings).encode()))
        if isinstance(error, TooSlow) or incoming.is_awaited:  # else what is left of the body is read and forgotten by the connection
            headers.append((b"connection", b"close"))
        return headers

    def _route(self, scope: Scope) -> Signal:
        signal = self._paths.get(scope["path"])
        if signal is None:
            raise UnknownPath(f"no signal is taken here: known paths are {', '.join(sorted(self._paths))}")
        if scope["method"] != "POST":
            raise MethodNotAllowed("only POST is allowed")
        return signal

    async def _read(self, incoming: "_Incoming", headers: Mapping[str, str], reserve: Callable[[int], None], max_body_bytes: int) -> bytes:
        """Read and decompress the body within its limits of size, memory and time."""
        body = Body(headers.get("content-encoding", ""), max_body_bytes, reserve, self._limits.codings)
        if _announced_bytes(headers) > max_body_bytes:
            raise TooLarge(f"the body is larger than {max_body_bytes} bytes")
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while incoming.more:
                    await body.take(await incoming.chunk())
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self._limits.body_seconds:g} seconds") from None
        return await body.whole()


def _peer(scope: Scope) -> str | None:
    """Return the IP address that a request came from."""
    client = scope.get("client")
    return client[0] if client else None


def _announced_bytes(headers: Mapping[str, str]) -> int:
    """Return the size that `Content-Length` says, 0 when it says none."""
    announced = headers.get("content-length", "")
    return int(announced) if announced.isdigit() else 0


class _SenderGone(Exception):
    """The connection was closed before the request was whole."""


class _Incoming:
    """The chunks of one request's body."""

    def __init__(self, receive: Receive, *, waits: bool) -> None:
        self._receive = receive
        self.is_awaited = waits  # the sender waits to be told to go on: it may never send the body of what is refused before
        self.more = True

    async def chunk(self) -> bytes:
        """Return the next chunk; raises _SenderGone when the connection was closed instead."""
        self.is_awaited = False
        event = await self._receive()
        self.more = event.get("more_body", False)
        if event["type"] == "http.disconnect":
            raise _SenderGone
        return bytes(event.get("body", b""))


async def _fail(send: Send, error: Exception, encoding: Encoding, more_headers: Iterable[tuple[bytes, bytes]]) -> None:
    row = answer(error)
    seconds = retry_seconds(error)
    headers = [*more_headers] if seconds is None else [*more_headers, (b"retry-after", b"%d" % seconds)]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    if row.http == 405:
        headers.append((b"allow", b"POST"))
    await _respond(send, row.http, encoding, encode_status(status_message(error), encoding), headers)


async def _respond(send: Send, status: int, encoding: Encoding, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    content = [(b"content-type", encoding.encode()), (b"content-length", b"%d" % len(body)), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": content})
    await send({"type": "http.response.body", "body": body})
