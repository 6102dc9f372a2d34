"""What is no HTTP, and frames of gRPC that are none."""

import re
import socket

import pytest

from collector.signals import TRACES
from tests.conformance.requirements import shows
from tests.conformance.target import Answer, Target, head, status_of


@shows("not-http", "status-body", "bad-data")
@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"POST /v1/traces HTTP/9.9\r\n\r\n",
        b"POST /v1/traces\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        head("/v1/traces", "Transfer-Encoding: chunked", content_type="application/json") + b"zz\r\n",
    ],
    ids=["words", "TLS", "version", "path", "negative length", "two lengths", "length and chunks", "NUL", "HTTP/2", "chunk size"],
)
def test_what_is_no_http_is_answered_with_a_status(target: Target, sent: bytes) -> None:
    answer = target.raw(sent)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert status_of(answer)[0] == 3


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header of HTTP/2 that is in no table (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return a frame of HTTP/2 (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@shows("length-prefix", "truncated", "unknown-encoding", "bad-data")
@pytest.mark.parametrize(
    ("message", "encoding", "statuses"),
    [
        (b"\0\x7f\xff\xff\xffabc", b"", {8}),
        (b"\0\xff\xff\xff\xffabc", b"", {8}),
        (b"\0\0\0\0\x09abc", b"", {3, 13}),
        (b"", b"", {3, 13}),
        (b"\1\0\0\0\x03abc", b"", {3, 12, 13}),
        (b"\1\0\0\0\x03abc", b"snappy", {3, 12, 13}),
    ],
    ids=["2 GB", "4 GB", "short", "nothing", "compressed by nobody knows what", "unknown compression"],
)
def test_frames_of_grpc_that_are_none(target: Target, message: bytes, encoding: bytes, statuses: set[int]) -> None:
    """The five bytes before a message say how long it is, and whether it is compressed; other calls on other connections go on."""
    host, _, port = target.grpc_target.rpartition(":")
    path = f"/{TRACES.grpc_service}/Export".encode()
    headers = b"\x83\x86\x04" + bytes([len(path)]) + path + literal(b":authority", b"x") + literal(b"content-type", b"application/grpc")
    headers += literal(b"te", b"trailers") + (literal(b"grpc-encoding", encoding) if encoding else b"")
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 1, 1, message)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        answer = b""
        while not (found := re.search(rb"grpc-status.(\d+)", answer)):
            chunk = connection.recv(65536)
            assert chunk, "the connection ended without an answer"
            answer += chunk
    assert int(found[1]) in statuses
