"""The one table from exception to answer: OTLP/HTTP status, gRPC code, and whether the sender may try again (OTLP 1.11, "Failures")."""

import traceback
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from collector.errors import (
    Malformed,
    MethodNotAllowed,
    Overloaded,
    RateLimited,
    Refused,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnknownPath,
    UnsupportedMedia,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a failure is told: `retry_seconds` is set where the sender should send the same request again."""

    http: int
    grpc: grpc.StatusCode
    retry_seconds: int | None = None


ANSWERS: Final[tuple[tuple[type[Exception], Answer], ...]] = (
    (Malformed, Answer(http=400, grpc=grpc.StatusCode.INVALID_ARGUMENT)),
    (Unauthenticated, Answer(http=401, grpc=grpc.StatusCode.UNAUTHENTICATED)),
    (UnknownPath, Answer(http=404, grpc=grpc.StatusCode.NOT_FOUND)),
    (MethodNotAllowed, Answer(http=405, grpc=grpc.StatusCode.UNIMPLEMENTED)),
    (TooSlow, Answer(http=408, grpc=grpc.StatusCode.DEADLINE_EXCEEDED)),
    (TooLarge, Answer(http=413, grpc=grpc.StatusCode.RESOURCE_EXHAUSTED)),
    (UnsupportedMedia, Answer(http=415, grpc=grpc.StatusCode.INVALID_ARGUMENT)),
    (RateLimited, Answer(http=429, grpc=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_seconds=1)),
    (Overloaded, Answer(http=429, grpc=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_seconds=1)),
    (Unavailable, Answer(http=503, grpc=grpc.StatusCode.UNAVAILABLE, retry_seconds=5)),
)
INTERNAL: Final = Answer(http=500, grpc=grpc.StatusCode.INTERNAL)


def answer(error: Exception) -> Answer:
    """Return how `error` is told to the sender; what the table does not know is an internal error, not to be retried."""
    return next((row for kind, row in ANSWERS if isinstance(error, kind)), INTERNAL)


def retry_seconds(error: Exception) -> int | None:
    """Return after how many seconds the same request may be sent again; None: never, it would be refused again."""
    own = error.retry_seconds if isinstance(error, Refused) else None
    return answer(error).retry_seconds if own is None else own


def status_message(error: Exception) -> status_pb2.Status:
    """Return the google.rpc.Status of `error`: its code, a message without any input text, and RetryInfo where retrying helps."""
    row = answer(error)
    text = "internal error: see the collector's log" if row is INTERNAL else str(error)
    status = status_pb2.Status(code=code_pb2.Code.Value(row.grpc.name), message=text)
    if (seconds := retry_seconds(error)) is not None:
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds)))
    return status


def where(error: BaseException) -> str:
    """Return the files and lines that led to `error`, for the log: never its message, which may hold what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
