"""What a backend's answer means for the request that it answers (OTLP 1.11, "Failures", "OTLP/HTTP Throttling", "Partial Success").

Where the specification says that a client must not retry, we do not, with one exception: an answer that refuses *us* (a token that
expired, a proxy in between) says nothing about the records, which wait then until the operator has put it right.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from collector.signals import Message, Signal

LONGEST_WAIT_SECONDS: Final = 3600.0
"""A backend that asks for more patience than this is asked again all the same."""
_RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
_HELD_STATUS: Final = frozenset({301, 302, 303, 307, 308, 401, 403, 407})
_RETRIED_CODES: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_HELD_CODES: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_SIZE: Final = re.compile(r"larger than|too large", re.IGNORECASE)


class Kind(StrEnum):
    """What to do with a request."""

    DELIVERED = "delivered"
    RETRY = "retry"
    TOO_LARGE = "too_large"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`reason` is of ours (a status, a code, what failed); `message` is the backend's text, which may repeat what was sent."""

    kind: Kind
    reason: str = ""
    message: str = ""
    rejected: int = 0  # records of a request that was delivered otherwise
    retry_seconds: float | None = None  # the backend asked for this much time


def delivered(signal: Signal, body: bytes) -> Answer:
    """Read the body of a success: a partial one names how many records were rejected, and must not be sent again."""
    try:
        response: Message = signal.response.FromString(body)
    except DecodeError:
        return Answer(kind=Kind.DELIVERED)  # a success is one, whatever else was said
    partial = response.partial_success
    rejected = getattr(partial, signal.rejected_field)
    return Answer(
        kind=Kind.DELIVERED, rejected=max(0, rejected), message=partial.error_message, reason="partial success" if rejected else ""
    )


def http_answer(signal: Signal, status: int, headers: Any, body: bytes, now: datetime) -> Answer:
    """Return what an HTTP answer means. `headers` maps names in lower case."""
    if 200 <= status < 300:
        is_protobuf = headers.get("content-type", "").startswith("application/x-protobuf")
        return delivered(signal, body if is_protobuf else b"")
    reason = f"HTTP {status}"
    if status in _RETRIED_STATUS or status in _HELD_STATUS:
        return Answer(kind=Kind.RETRY, reason=reason, retry_seconds=retry_after(headers.get("retry-after", ""), now))
    return Answer(kind=Kind.TOO_LARGE if status == 413 else Kind.REFUSED, reason=reason, message=_status_text(body))


def grpc_answer(code: grpc.StatusCode, details: str, trailing: Any) -> Answer:
    """Return what a failed call means. RESOURCE_EXHAUSTED is to be retried only with RetryInfo."""
    seconds = _retry_info(trailing)
    if code.name in _RETRIED_CODES or code.name in _HELD_CODES or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and seconds is not None):
        return Answer(kind=Kind.RETRY, reason=code.name, retry_seconds=seconds)
    is_size = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _SIZE.search(details) is not None
    return Answer(kind=Kind.TOO_LARGE if is_size else Kind.REFUSED, reason=code.name, message=details)


def retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, which are a number or a date (RFC 9110, 10.2.3); None for none."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:12]), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT_SECONDS)


def _retry_info(trailing: Any) -> float | None:
    for key, value in trailing or ():
        if key == "grpc-status-details-bin":
            try:
                status = status_pb2.Status.FromString(value)
                for detail in status.details:
                    info = error_details_pb2.RetryInfo()
                    if detail.Unpack(info):
                        return min(max(0.0, float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)), LONGEST_WAIT_SECONDS)
            except DecodeError:
                return None
    return None


def _status_text(body: bytes) -> str:
    """Return the message of a google.rpc.Status, else the beginning of the body."""
    try:
        return str(status_pb2.Status.FromString(body).message) or body[:200].decode("utf-8", "replace")
    except DecodeError:
        return body[:200].decode("utf-8", "replace")
