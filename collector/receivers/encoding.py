"""Bytes ↔ OTLP messages: protobuf and JSON, gzip and deflate, with the size bounded after decompression."""

import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import orjson
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from collector.errors import Malformed, Refused, TooLarge, UnsupportedMedia
from collector.receivers import otlp_json
from collector.signals import Message, Signal

_STEP_BYTES: Final = 1 << 20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZLIB_METHOD: Final = 0x78


class Encoding(StrEnum):
    """The two encodings of OTLP/HTTP, by their media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def encoding_of(content_type: str) -> Encoding:
    """Return the encoding of a Content-Type header; parameters such as charset are ignored. Raises UnsupportedMedia."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        return Encoding(media_type)
    except ValueError:
        raise UnsupportedMedia(f"Content-Type must be {Encoding.PROTOBUF} or {Encoding.JSON}") from None


class Body:
    """A request body as it arrives: decompressed chunk by chunk, never more than `limit_bytes` of it in memory.

    `content_encoding` is the HTTP header's value; gzip may have several members (RFC 1952 section 2.2), trailing garbage is refused.
    `reserve` is called with the size at every step, before the step's bytes are kept, and may raise.
    """

    def __init__(self, content_encoding: str, limit_bytes: int, reserve: Callable[[int], None] = lambda _: None) -> None:
        self._name = content_encoding.strip().lower()
        if self._name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise UnsupportedMedia("Content-Encoding must be gzip, deflate or identity")
        self._limit_bytes = limit_bytes
        self._reserve = reserve
        self._chunks: list[bytes] = []
        self.size_bytes = 0
        self._stream = None if self._name in {"", "identity"} else _decompressor(self._name)
        self._begun = False

    def feed(self, chunk: bytes) -> None:
        """Add what came from the wire; raises TooLarge as soon as the limit is passed, Malformed for broken compression."""
        if self._stream is None:
            self._add(chunk)
            return
        try:
            self._inflate(chunk)
        except zlib.error:
            raise Malformed(f"the body is not valid {self._name} data") from None

    def finish(self) -> bytes:
        """Return the whole body; raises Malformed when compressed data is cut short."""
        if self._stream is not None and not self._stream.eof:
            raise Malformed(f"the {self._name} data ends too early")
        return b"".join(self._chunks)

    def _inflate(self, chunk: bytes) -> None:
        if chunk and not self._begun:
            self._begun = True
            if self._name == "deflate" and chunk[0] & 0x0F != 8:  # senders that leave out the zlib header of RFC 1950
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        while chunk:
            assert self._stream is not None  # noqa: S101 - identity never comes here
            if self._stream.eof:
                self._next_member(chunk)
            self._add(self._stream.decompress(chunk, _STEP_BYTES))
            chunk = self._stream.unconsumed_tail or self._stream.unused_data

    def _next_member(self, chunk: bytes) -> None:
        if self._name == "deflate" or not chunk.startswith(_GZIP_MAGIC[: len(chunk)]):
            raise Malformed(f"there is trailing garbage after the {self._name} data")
        self._stream = _decompressor(self._name)

    def _add(self, data: bytes) -> None:
        self.size_bytes += len(data)
        try:
            if self.size_bytes > self._limit_bytes:
                raise TooLarge(f"the body is larger than {self._limit_bytes} bytes after decompression")
            self._reserve(self.size_bytes)
        except Refused:
            self._chunks.clear()  # the error lives on until it is answered, and with it this body
            raise
        self._chunks.append(data)


def _decompressor(name: str) -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS if name == "deflate" else 16 + zlib.MAX_WBITS)


def compression_of(message: bytes) -> str:
    """Return the compression of a gRPC message by how it begins: no OTLP message begins like gzip's or zlib's header (RFC 1952, 1950)."""
    if message.startswith(_GZIP_MAGIC):
        return "gzip"
    return "deflate" if len(message) > 1 and message[0] == _ZLIB_METHOD and int.from_bytes(message[:2], "big") % 31 == 0 else ""


def decode_request(signal: Signal, encoding: Encoding, body: bytes) -> Message:
    """Return the request message in `body`; raises Malformed. Fields that the protocol does not know are gone."""
    message = signal.request()
    if encoding is Encoding.JSON:
        otlp_json.fill(message, body)
        return message
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise Malformed(f"the body is not a valid {signal.request.DESCRIPTOR.name}") from None
    message.DiscardUnknownFields()
    return message


def response_message(signal: Signal, rejected: int, text: str) -> Message:
    """Return the success message: `partial_success` stays unset unless records were rejected."""
    response = signal.response()
    if rejected:
        setattr(response.partial_success, signal.rejected_field, rejected)
        response.partial_success.error_message = text
    return response


def encode_response(signal: Signal, response: Message, encoding: Encoding) -> bytes:
    """Return a success answer in the encoding of its request; without partial success `{}` or no bytes at all."""
    if encoding is Encoding.PROTOBUF:
        return bytes(response.SerializeToString())
    if not response.HasField("partial_success"):
        return b"{}"
    name = response.partial_success.DESCRIPTOR.fields_by_name[signal.rejected_field].json_name
    rejected = getattr(response.partial_success, signal.rejected_field)
    return orjson.dumps({"partialSuccess": {name: str(rejected), "errorMessage": response.partial_success.error_message}})


def encode_status(status: status_pb2.Status, encoding: Encoding) -> bytes:
    """Return a failure answer in the encoding of its request."""
    if encoding is Encoding.PROTOBUF:
        return bytes(status.SerializeToString())
    return orjson.dumps({"code": status.code, "message": status.message})
