"""A gRPC client of one connection and one unary call at a time: as little as HTTP/2 allows, since the load generator shares the machine.

`grpc.aio` costs a client half a millisecond of processor time a call, which on two cores would be measured as the server's. Only what the
calls of a benchmark need is here (RFC 9113 frames, RFC 7541 headers without a table, gRPC over HTTP/2): no TLS, no compression.
"""

import asyncio
import struct
from typing import Final, cast

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM: Final = 1
_ACK: Final = 1
_END_HEADERS: Final = 4
_FRAME_HEAD_BYTES: Final = 9
_HEADER_TABLE_SIZE, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 1, 4, 5
_DEFAULT_WINDOW: Final = 65_535
_LARGEST_WINDOW: Final = 2**31 - 1
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SUCCESS: Final = b"grpc-status\x010"
"""In a block of headers that uses no table: the name, the length of the value, the value."""


class GrpcConnection(asyncio.Protocol):
    """Calls one method of one server: `await call(message)` says whether it succeeded. Raises ConnectionError when the server is gone."""

    def __init__(self, authority: str, method: str) -> None:
        self._request_headers = b"\x83\x86" + b"".join(
            (
                b"\x04",
                _text(method),
                b"\x01",
                _text(authority),
                b"\x0f\x10",
                _text("application/grpc"),
                b"\x00",
                _text("te"),
                _text("trailers"),
            )
        )
        self._received = bytearray()
        self._room = self._stream_room = self._initial_room = _DEFAULT_WINDOW  # bytes that the server lets us send
        self._frame_bytes = 16_384
        self._stream = -1
        self._rest = memoryview(b"")
        self._answer: asyncio.Future[bool] | None = None
        self._lost = False

    async def call(self, message: bytes) -> bool:
        """Send one request and wait for its status."""
        if self._lost:
            raise ConnectionError("the server closed the connection")
        self._stream += 2
        self._stream_room = self._initial_room
        self._answer = asyncio.get_running_loop().create_future()
        self._rest = memoryview(b"\x00" + struct.pack(">I", len(message)) + message)
        head = _frame(_HEADERS, _END_HEADERS, self._stream, self._request_headers)
        self._transport.write(head + self._sendable())
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say that there are no tables, and that answers of any size may come."""
        self._transport = cast("asyncio.Transport", transport)
        settings = struct.pack(">HIHI", _HEADER_TABLE_SIZE, 0, _INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
        window = struct.pack(">I", _LARGEST_WINDOW - _DEFAULT_WINDOW)
        self._transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, settings) + _frame(_WINDOW_UPDATE, 0, 0, window))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        """End the call that is under way."""
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection before it answered"))

    def data_received(self, data: bytes) -> None:
        """Take the frames that are whole."""
        received = self._received
        received += data
        position = 0
        while len(received) - position >= _FRAME_HEAD_BYTES:
            length = int.from_bytes(received[position : position + 3], "big")
            end = position + _FRAME_HEAD_BYTES + length
            if len(received) < end:
                break
            kind, flags = received[position + 3], received[position + 4]
            stream = int.from_bytes(received[position + 5 : position + 9], "big")
            self._take(kind, flags, stream, bytes(received[position + _FRAME_HEAD_BYTES : end]))
            position = end
        del received[:position]

    def _take(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == _HEADERS and stream == self._stream and flags & _END_STREAM:
            self._answered(_SUCCESS in content)
        elif kind == _RST_STREAM and stream == self._stream:
            self._answered(False)
        elif kind == _WINDOW_UPDATE:
            self._widen(stream, int.from_bytes(content, "big"))
        elif kind == _SETTINGS and not flags & _ACK:
            self._configure(content)
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, content))
        elif kind == _GOAWAY:
            self._transport.close()

    def _answered(self, succeeded: bool) -> None:
        self._rest = memoryview(b"")
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(succeeded)

    def _widen(self, stream: int, size_bytes: int) -> None:
        if stream == 0:
            self._room += size_bytes
        elif stream == self._stream:
            self._stream_room += size_bytes
        if frames := self._sendable():
            self._transport.write(frames)

    def _configure(self, content: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", content):
            if name == _INITIAL_WINDOW_SIZE:
                self._stream_room += value - self._initial_room
                self._initial_room = value
            elif name == _MAX_FRAME_SIZE:
                self._frame_bytes = value
        self._transport.write(_frame(_SETTINGS, _ACK, 0, b"") + self._sendable())

    def _sendable(self) -> bytes:
        """Return the frames of the message that there is room for now."""
        frames = []
        while self._rest and (room := min(self._room, self._stream_room, self._frame_bytes)) > 0:
            piece, self._rest = self._rest[:room], self._rest[room:]
            self._room -= len(piece)
            self._stream_room -= len(piece)
            frames.append(_frame(_DATA, 0 if self._rest else _END_STREAM, self._stream, piece))
        return b"".join(frames)


def _frame(kind: int, flags: int, stream: int, content: bytes | memoryview) -> bytes:
    return b"".join((len(content).to_bytes(3, "big"), bytes((kind, flags)), stream.to_bytes(4, "big"), content))


def _text(text: str) -> bytes:
    """Return a string of HPACK, as it is: one byte says how long (RFC 7541 section 5.2)."""
    content = text.encode()
    assert len(content) < 127
    return bytes([len(content)]) + content
