"""Bytes ↔ OTLP messages: protobuf and JSON."""

from enum import StrEnum

import orjson
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from collector.errors import Malformed, UnsupportedMedia
from collector.receivers import otlp_json
from collector.receivers.wire import problem
from collector.signals import Message, Signal


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


def decode_request(signal: Signal, encoding: Encoding, body: bytes) -> Message:
    """Return the request message in `body`; raises Malformed. Fields that the protocol does not know are gone.

    Protobuf takes a known field of another wire type for an unknown one: what it holds would be acknowledged and lost, so it is refused.
    """
    message = signal.request()
    if encoding is Encoding.JSON:
        otlp_json.fill(message, body)
        return message
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise Malformed(f"the body is not a valid {signal.request.DESCRIPTOR.name}{_found(signal, body)}") from None
    message.DiscardUnknownFields()
    if message.ByteSize() != len(body) and _discarded(signal, message, body) and (found := _found(signal, body)):
        raise Malformed(f"the body is not a valid {signal.request.DESCRIPTOR.name}{found}")
    return message


def _discarded(signal: Signal, message: Message, body: bytes) -> bool:
    """Whether there were unknown fields: a size may also differ because the sender writes zeros."""
    return bool(signal.request.FromString(body).ByteSize() != message.ByteSize())


def _found(signal: Signal, body: bytes) -> str:
    text = problem(signal.request.DESCRIPTOR, body)
    return f": {text}" if text else ""


def response_message(signal: Signal, rejected: int, text: str) -> Message:
    """Return the success message: `partial_success` stays unset unless records were rejected, or the sender is warned of something."""
    response = signal.response()
    if rejected or text:
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
    count = {name: str(rejected)} if rejected else {}
    return orjson.dumps({"partialSuccess": count | {"errorMessage": response.partial_success.error_message}})


def encode_status(status: status_pb2.Status, encoding: Encoding) -> bytes:
    """Return a failure answer in the encoding of its request."""
    if encoding is Encoding.PROTOBUF:
        return bytes(status.SerializeToString())
    return orjson.dumps({"code": status.code, "message": status.message})
