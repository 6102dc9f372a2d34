"""One HTTP/1 connection: every stage of it has a limit, and what is no HTTP is answered like any other refusal (RFC 9110, 9112).

uvicorn bounds neither how long a request's head may take, nor how long it may be, nor how long answers stay unread, and it drops the
answer of a sender that has closed its half of the connection. Slow or greedy senders must not take the memory or the file descriptors
that the WAL needs.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from collector.errors import Malformed, Refused, TooLarge, TooSlow, UnsupportedMedia
from collector.receivers.encoding import Encoding, encode_status, encoding_of
from collector.status import status_message

HEAD_BYTES: Final = 128 << 10
"""Of a head; of trailers and chunk extensions together, too."""
MOST_PIPELINED: Final = 100
"""Requests that were sent without waiting for the answer to the first: each costs memory, however short it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How long each stage of a connection may take, and how many connections there may be."""

    head_seconds: float = 20.0
    idle_seconds: float = 75.0
    unread_seconds: float = 30.0
    connections: Callable[[], int] = lambda: 1 << 20


class BoundedConnection(HttpToolsProtocol):
    """A connection that ends when a head is late or too long, when answers stay unread, or when there are too many connections."""

    def __init__(self, limits: ConnectionLimits, refused: Callable[[Refused], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._limits = limits
        self._refused = refused
        self._bare_bytes = 0
        self._progressed = False
        self._in_head = False
        self._repeats_head = False
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count the connection and start its clock."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections():
            transport.abort()
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop_clock()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what came since a head was whole or a part of a body came: heads, trailers and chunk extensions are bounded alike."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._progressed = False
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse(400, Malformed("what was sent is not valid HTTP"))
        self._bare_bytes = 0 if self._progressed else self._bare_bytes + len(data)
        if self._bare_bytes > HEAD_BYTES:
            self._refuse(431, TooLarge(f"the head of the request is longer than {HEAD_BYTES} bytes"))
        elif self._is_idle and self._late is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(self._limits.idle_seconds, self.timeout_keep_alive_handler)

    def _parse(self, data: bytes | memoryview) -> None:
        """Feed the parser. It stops at a head that offers an upgrade, as Java's client does, and would lose the body: a new one goes on.

        A server may ignore such an offer (RFC 9110 section 7.8).
        """
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
                self._read_on()

    def _read_on(self) -> None:
        """Put a parser that is behind the head in the place of the one that stopped there."""
        framing = [b"%b: %b\r\n" % header for header in self.headers if header[0] in {b"content-length", b"transfer-encoding"}]
        self.parser = httptools.HttpRequestParser(self)
        self._repeats_head = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(framing))
        finally:
            self._repeats_head = False

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a bool
        """A sender that has said all it has to say may still wait for its answer (TLS cannot be half-closed)."""
        waits = not self._is_idle and not self.cycle.more_body and self.scheme == "http"
        if waits:
            self.cycle.keep_alive = False
        return waits

    def pause_writing(self) -> None:
        """The sender does not read its answers."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It does."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection, also one whose last answers nobody reads."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._repeats_head:
            return
        super().on_message_begin()
        self._in_head = True
        self._start_clock()

    def on_url(self, url: bytes) -> None:
        """A part of the path came."""
        if not self._repeats_head:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        if not self._repeats_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._repeats_head:
            return
        self._progressed, self._in_head = True, False
        self._stop_clock()
        if len(self.pipeline) < MOST_PIPELINED:
            super().on_headers_complete()
        else:
            self.transport.abort()
            raise httptools.HttpParserError  # so that the rest of what was read is not parsed

    def on_body(self, body: bytes) -> None:
        """A part of the body came."""
        self._progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole, unless the parser only stopped there."""
        if self.parser.should_upgrade():
            return
        self._stop_clock()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """What is left of a body that was refused, and of answers before the end, has its time, too."""
        is_last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            self._late = self._late or self.loop.call_later(self._limits.unread_seconds, self.transport.abort)
        elif is_last and self.cycle.more_body:
            self._start_clock()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _start_clock(self) -> None:
        self._bare_bytes = 0
        if self._late is None:
            self._late = self.loop.call_later(self._limits.head_seconds, self._is_late)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_late(self) -> None:
        self._late = None
        if self._in_head:
            self._refuse(408, TooSlow(f"the head of the request did not arrive within {self._limits.head_seconds:g} seconds"))
        else:
            self.transport.abort()

    def _refuse(self, code: int, error: Refused) -> None:
        """Answer what never becomes a request, after the answer that is due before it, and close."""
        if not self._is_idle:
            if self.pipeline or self.cycle.response_started:
                self.transport.abort()
                return
            if not self.cycle.more_body:
                self.cycle.keep_alive = False
                return
        self._refused(error)
        encoding = _encoding(self.headers)
        body = encode_status(status_message(error), encoding)
        head = b"content-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (encoding.encode(), len(body))
        self.transport.write(STATUS_LINE[code] + head + body)
        self.transport.close()
        self._stop_clock()
        self._late = self.loop.call_later(self._limits.unread_seconds, self.transport.abort)


def _encoding(headers: list[tuple[bytes, bytes]] | None) -> Encoding:
    for name, value in headers or ():
        if name == b"content-type":
            with contextlib.suppress(UnsupportedMedia):
                return encoding_of(value.decode("latin-1"))
    return Encoding.JSON
