"""What an OTLP server must do, should do and must survive (OTLP 1.11), one line each; `docs/conformance.md` lists them with their tests."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


class Requirement(NamedTuple):
    """One sentence of the specification, or one kind of bad input."""

    level: str
    text: str


MUST, SHOULD, MAY, SURVIVE = "MUST", "SHOULD", "MAY", "survive"

REQUIREMENTS: Final[dict[str, Requirement]] = {
    # the wire
    "grpc-services": Requirement(MUST, "take `Export` of TraceService, LogsService and MetricsService over gRPC"),
    "http-paths": Requirement(MUST, "take POST at `/v1/traces`, `/v1/logs` and `/v1/metrics` over HTTP"),
    "both-encodings": Requirement(MUST, "take `application/x-protobuf` and `application/json` on one port"),
    "response-content-type": Requirement(MUST, "answer with the Content-Type of the request"),
    "keep-alive": Requirement(SHOULD, "take many requests on one connection, and many connections at once"),
    "no-compression": Requirement(MUST, "take bodies without compression"),
    "gzip": Requirement(MUST, "take bodies compressed with gzip"),
    "deflate": Requirement(MAY, "take bodies compressed with deflate"),
    "zstd": Requirement(MAY, "take bodies compressed with zstd (HTTP)"),
    "size-limit": Requirement(MUST, "bound the size after decompression; over it HTTP 413, gRPC RESOURCE_EXHAUSTED, neither to be retried"),
    "success": Requirement(MUST, "answer success with 200 / OK and an export response whose `partial_success` is unset"),
    "json-success": Requirement(MUST, "answer success in JSON without `partialSuccess`"),
    "partial-success": Requirement(MUST, "answer partly rejected data with success, `rejected_*` > 0 and a message"),
    "warning": Requirement(MAY, "warn with `rejected_*` = 0 and a message"),
    "empty": Requirement(SHOULD, "answer an empty request with success"),
    "bad-data": Requirement(MUST, "answer bad data with 400 / INVALID_ARGUMENT"),
    "status-body": Requirement(MUST, "answer every 4xx and 5xx with a `google.rpc.Status` in the encoding of the request"),
    "not-found": Requirement(MUST, "answer unknown paths with 404, unknown services and methods with UNIMPLEMENTED"),
    "method": Requirement(MUST, "answer other methods than POST with 405 and `Allow`"),
    "media-type": Requirement(MUST, "answer unknown Content-Types and Content-Encodings with 415"),
    # JSON
    "json-ids": Requirement(MUST, "read trace and span ids as hexadecimal digits of any case"),
    "json-enums": Requirement(MUST, "read enumerations as integers, also those of newer versions"),
    "json-names": Requirement(MUST, "read names in lowerCamelCase"),
    "json-unknown": Requirement(MUST, "ignore unknown fields"),
    "json-integers": Requirement(MUST, "read 64-bit integers as text and as numbers"),
    "json-bytes": Requirement(MUST, "read bytes as base64"),
    "json-examples": Requirement(MUST, "take the specification's own examples"),
    "json-as-protobuf": Requirement(MUST, "store the same from JSON as from protobuf"),
    # retrying
    "overload-http": Requirement(SHOULD, "answer overload with 429 or 503 and `Retry-After`"),
    "overload-grpc": Requirement(SHOULD, "answer overload with UNAVAILABLE, or RESOURCE_EXHAUSTED with `RetryInfo`"),
    "no-retry": Requirement(MUST, "give no `RetryInfo` and no `Retry-After` where sending again is no use"),
    "store-failed": Requirement(MUST, "answer what could not be stored with a retryable failure, never with a partial success"),
    "resend": Requirement(SHOULD, "store a request once that is sent again because its answer was lost"),
    # exporters
    "python-exporters": Requirement(MUST, "take all signals from the official Python exporters, without a warning"),
    "node-exporters": Requirement(MUST, "take all signals from the official Node.js exporters, without a warning"),
    # bad input: refused
    "truncated": Requirement(SURVIVE, "truncated protobuf"),
    "wire-types": Requirement(SURVIVE, "wrong wire types"),
    "length-prefix": Requirement(SURVIVE, "a length prefix of 2 GB"),
    "bombs": Requirement(SURVIVE, "gzip bombs"),
    "trailing-garbage": Requirement(SURVIVE, "compressed data with trailing garbage, cut short, or none"),
    "unknown-encoding": Requirement(SURVIVE, "unknown encodings"),
    "deep-json": Requirement(SURVIVE, "JSON nested 10,000 deep"),
    "broken-json": Requirement(SURVIVE, "JSON that is none, or not of the message"),
    "json-nan": Requirement(SURVIVE, "NaN and Infinity, as JSON cannot write them and as it can"),
    "utf-8": Requirement(SURVIVE, "invalid UTF-8 in texts"),
    "bad-ids": Requirement(SURVIVE, "trace ids of a wrong length or all zero"),
    # bad input: taken and stored
    "end-before-start": Requirement(SURVIVE, "an end before the start"),
    "timestamps": Requirement(SURVIVE, "timestamps of 0, negative ones, of the year 2262 and the largest"),
    "many-attributes": Requirement(SURVIVE, "100,000 attributes"),
    "large-values": Requirement(SURVIVE, "attribute values of 10 MB"),
    "duplicate-keys": Requirement(SURVIVE, "duplicate keys"),
    "mixed-arrays": Requirement(SURVIVE, "arrays of mixed types, empty values"),
    "nested-values": Requirement(SURVIVE, "nested lists and maps"),
    "empty-keys": Requirement(SURVIVE, "empty keys"),
    "nul": Requirement(SURVIVE, "NUL bytes, and text that looks like SQL or a path"),
    # connections
    "slowloris": Requirement(SURVIVE, "heads and bodies that arrive byte by byte, or never"),
    "half-closed": Requirement(SURVIVE, "half-closed connections, and senders that go away"),
    "http-1.0": Requirement(SURVIVE, "HTTP/1.0"),
    "expect": Requirement(SURVIVE, "`Expect: 100-continue`"),
    "chunked": Requirement(SURVIVE, "chunked bodies, with extensions and trailers"),
    "not-http": Requirement(SURVIVE, "what is no HTTP, or HTTP for somebody else"),
    "idle": Requirement(SURVIVE, "thousands of idle connections"),
}


def shows(*identifiers: str) -> Callable[[Test], Test]:
    """Say which requirements a test shows."""
    unknown = set(identifiers) - set(REQUIREMENTS)
    assert not unknown, f"no such requirement: {unknown}"

    def same(test: Test) -> Test:
        return test

    return same
