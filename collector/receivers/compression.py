"""Compressed bodies: inflated while they arrive, never further than the limit of the size and what memory can be reserved.

gzip (RFC 1952, also of several members), deflate and zlib (RFC 1950, also without its header) are inflated chunk by chunk; zstd
(RFC 8878) when the body is whole, by the decoder that comes with pyarrow. A kilobyte may become many megabytes: receivers inflate step by
step, and let other requests go on in between.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from collector.errors import Malformed, Refused, TooLarge, UnsupportedMedia

CODINGS: Final = ("gzip", "deflate", "zlib", "zstd")
"""Values of Content-Encoding that can be inflated, besides none."""

_STEP_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 15
"""Of compressed data that is looked at between two steps: it may be a thousand members without content."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZLIB_METHOD: Final = 0x78
_SAME: Final = {"identity": "", "x-gzip": "gzip"}

Take = Callable[[bytes], None]
"""What inflated bytes are given to, at most a megabyte at a time; raises when there is no room for them."""


class Body:
    """A request body as it arrives: decompressed, never more than `limit_bytes` of it in memory.

    `coding` is the value of Content-Encoding, one of `codings`. `reserve` is called with the size at every step, before the step's
    bytes are kept, and may raise.
    """

    def __init__(
        self, coding: str, limit_bytes: int, reserve: Callable[[int], None] = lambda _: None, codings: tuple[str, ...] = ("", *CODINGS)
    ) -> None:
        self._stream = _stream(coding, codings, self._add)
        self._limit_bytes = limit_bytes
        self._reserve = reserve
        self._chunks: list[bytes] = []
        self.size_bytes = 0

    def feed(self, chunk: bytes) -> None:
        """Add what came from the wire; raises TooLarge as soon as the limit is passed, Malformed for broken compression."""
        for _ in self._steps(chunk):
            pass

    async def take(self, chunk: bytes) -> None:
        """As `feed`; other requests go on between its steps."""
        for _ in self._steps(chunk):
            await asyncio.sleep(0)

    def finish(self) -> bytes:
        """Return the whole body; raises Malformed when compressed data is cut short."""
        try:
            for data in self._rest():
                self._add(data)
        except Refused:
            self._forget()
            raise
        return b"".join(self._chunks)

    async def whole(self) -> bytes:
        """As `finish`; other requests go on between its steps, and while much compressed data is looked at."""
        rest = self._rest()
        beside = self._stream is not None and self._stream.kept_bytes > _PIECE_BYTES
        try:
            while data := await asyncio.to_thread(next, rest, b"") if beside else next(rest, b""):
                self._add(data)
                await asyncio.sleep(0)
        except Refused:
            self._forget()
            raise
        return b"".join(self._chunks)

    def _steps(self, chunk: bytes) -> Iterator[None]:
        if self._stream is None:
            self._add(chunk)
            return
        try:
            yield from self._stream.feed(chunk)
            if self._stream.kept_bytes > self._limit_bytes:
                raise TooLarge(f"the body is larger than {self._limit_bytes} bytes")
            self._reserve(self.size_bytes + self._stream.kept_bytes)
        except Refused:
            self._forget()
            raise

    def _rest(self) -> Iterator[bytes]:
        return iter(()) if self._stream is None else self._stream.finish()

    def _add(self, data: bytes) -> None:
        kept_bytes = 0 if self._stream is None else self._stream.kept_bytes
        self.size_bytes += len(data)
        try:
            if self.size_bytes > self._limit_bytes:
                raise TooLarge(f"the body is larger than {self._limit_bytes} bytes after decompression")
            self._reserve(self.size_bytes + kept_bytes)
        except Refused:
            self._forget()
            raise
        self._chunks.append(data)

    def _forget(self) -> None:
        """Let the bytes go: the error lives on until it is answered, and with it this body."""
        self._chunks.clear()
        self._stream = None


def compression_of(message: bytes) -> str:
    """Return the compression of a gRPC message by how it begins: no OTLP message begins like gzip's or zlib's header (RFC 1952, 1950)."""
    if message.startswith(_GZIP_MAGIC):
        return "gzip"
    return "deflate" if len(message) > 1 and message[0] == _ZLIB_METHOD and int.from_bytes(message[:2], "big") % 31 == 0 else ""


class _Stream(Protocol):
    kept_bytes: int  # compressed bytes that are kept until the end

    def feed(self, chunk: bytes) -> Iterator[None]: ...
    def finish(self) -> Iterator[bytes]: ...


def _stream(coding: str, codings: tuple[str, ...], take: Take) -> _Stream | None:
    name = coding.strip().lower()
    name = _SAME.get(name, name)
    if name not in codings or name not in {"", *CODINGS}:
        raise UnsupportedMedia(f"Content-Encoding must be one of {', '.join(each or 'identity' for each in codings)}")
    return None if not name else _Zstd() if name == "zstd" else _Zlib(name, take)


class _Zlib:
    """gzip, deflate and zlib: nothing is kept, all is inflated at once."""

    kept_bytes = 0

    def __init__(self, name: str, take: Take) -> None:
        self._name = name
        self._take = take
        self._gzip = name == "gzip"
        self._inflater = self._new()
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[None]:
        try:
            for start in range(0, len(chunk), _PIECE_BYTES):
                if start:
                    yield
                yield from self._feed(chunk[start : start + _PIECE_BYTES])
        except zlib.error:
            raise Malformed(f"the body is not valid {self._name} data") from None

    def finish(self) -> Iterator[bytes]:
        if not self._inflater.eof:
            raise Malformed(f"the {self._name} data ends too early")
        yield from ()

    def _feed(self, chunk: bytes) -> Iterator[None]:
        if chunk and not self._begun:
            self._begun = True
            if self._name == "deflate" and chunk[0] & 0x0F != 8:  # senders that leave out the zlib header of RFC 1950
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while chunk:
            if self._inflater.eof:
                self._next_member(chunk)
            data = self._inflater.decompress(chunk, _STEP_BYTES)
            self._take(data)
            if len(data) == _STEP_BYTES:
                yield
            chunk = self._inflater.unconsumed_tail or self._inflater.unused_data

    def _next_member(self, chunk: bytes) -> None:
        if not self._gzip or not chunk.startswith(_GZIP_MAGIC[: len(chunk)]):
            raise Malformed(f"there is trailing garbage after the {self._name} data")
        self._inflater = self._new()

    def _new(self) -> "zlib._Decompress":
        return zlib.decompressobj((16 if self._gzip else 0) + zlib.MAX_WBITS)


class _Zstd:
    """zstd: kept as it came until it is whole, then inflated in steps."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.kept_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[None]:
        self._chunks.append(chunk)
        self.kept_bytes += len(chunk)
        yield from ()

    def finish(self) -> Iterator[bytes]:
        import pyarrow as pa

        if not self.kept_bytes:
            raise Malformed("the zstd data ends too early")
        with pa.CompressedInputStream(pa.BufferReader(b"".join(self._chunks)), "zstd") as stream:
            while data := _read(stream):
                yield data


def _read(stream: Any) -> bytes:
    try:
        return bytes(stream.read(_STEP_BYTES))
    except OSError as error:
        early = "Truncated" in str(error)
        raise Malformed("the zstd data ends too early" if early else "the body is not valid zstd data, or followed by garbage") from None
