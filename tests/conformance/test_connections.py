"""Connections that are slow, half closed, old-fashioned, or very many."""

import resource
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

import pytest

from collector.signals import TRACES
from tests.conformance.requirements import shows
from tests.conformance.target import BODY_SECONDS, OURS_MIB, Answer, Target, a_body, head, ours, read_answer, status_of

MOST_IDLE = 10_000


def ok(answer: Answer | None) -> bool:
    """Whether a request was taken whole."""
    return answer is not None and answer.status == 200


@shows("slowloris", "status-body")
def test_slow_senders_are_answered_and_cut_off(target: Target) -> None:
    """All at the same time: heads and bodies that stop, or come byte by byte."""
    ours(target)
    starts = {
        "nothing": b"",
        "head": b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nHo",
        "body": head("/v1/traces", "Content-Length: 100") + b"\x0a",
        "chunks": head("/v1/traces", "Transfer-Encoding: chunked") + b"5\r\n\x0a",
    }
    drips = {"dripping head": b"POST /v1/traces HTTP/1.1\r\n", "dripping body": head("/v1/traces", "Content-Length: 1000000")}
    answers: dict[str, Answer | None] = {}

    def stalled(name: str, start: bytes) -> None:
        answers[name] = target.raw(start)

    def dripping(name: str, start: bytes) -> None:
        with target.connection() as connection:
            connection.settimeout(0.2)
            connection.sendall(start)
            until = time.monotonic() + 3 * BODY_SECONDS
            answer = b""
            while not answer and time.monotonic() < until:
                try:
                    connection.sendall(b"a")
                    answer = connection.recv(1, socket.MSG_PEEK)
                except TimeoutError:
                    continue
            answers[name] = read_answer(connection)

    threads = [threading.Thread(target=stalled, args=item) for item in starts.items()]
    threads += [threading.Thread(target=dripping, args=item) for item in drips.items()]
    for thread in threads:
        thread.start()
    assert ok(target.raw(whole(a_body(TRACES, "beside slow senders")))), "others are served meanwhile"
    for thread in threads:
        thread.join(30)
    assert answers.pop("nothing") is None
    assert len(answers) == 5
    for name, answer in answers.items():
        assert answer is not None, name
        assert (answer.status, answer.headers["connection"], status_of(answer)[0]) == (408, "close", 4), name


def whole(body: bytes, *lines: str, version: str = "1.1") -> bytes:
    """Return a request with its body."""
    return head("/v1/traces", f"Content-Length: {len(body)}", *lines, version=version) + body


@shows("half-closed")
def test_a_sender_that_closed_its_half_gets_its_answer(target: Target) -> None:
    with target.connection() as connection:
        connection.sendall(whole(a_body(TRACES, "half closed")))
        connection.shutdown(socket.SHUT_WR)
        assert ok(read_answer(connection))
        assert connection.recv(1) == b"", "and the connection ends"
    assert len(target.rows("SELECT 1 FROM {spans} WHERE name = 'half closed'", 1)) == 1


@shows("half-closed")
def test_a_sender_that_closes_its_half_within_a_request_is_let_go(target: Target) -> None:
    for start in (b"", b"POST /v1", whole(a_body(TRACES, "never whole"))[:-3]):
        with target.connection() as connection:
            connection.sendall(start)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) in {b"", b"H"}


@shows("half-closed")
def test_senders_that_reset_the_connection_harm_nobody(target: Target) -> None:
    for end in (1, -3, None):
        with target.connection() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(whole(a_body(TRACES, "reset"))[:end])


@shows("http-1.0")
def test_http_1_0(target: Target) -> None:
    """A body needs its length: without it, none would be read, and data lost with an acknowledgement."""
    answer = target.raw(whole(a_body(TRACES, "http 1.0"), version="1.0"))
    assert ok(answer)
    assert answer is not None
    assert answer.headers["connection"] == "close"
    refused = target.raw(head("/v1/traces", version="1.0") + a_body(TRACES, "http 1.0 without a length"))
    assert refused is not None
    assert (refused.status, "Content-Length" in status_of(refused)[1]) == (400, True)


@shows("expect")
def test_expect_100_continue(target: Target) -> None:
    body = a_body(TRACES, "expect")
    with target.connection() as connection:
        for _ in range(2):
            connection.sendall(head("/v1/traces", f"Content-Length: {len(body)}", "Expect: 100-continue"))
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)
            assert ok(read_answer(connection))


@shows("expect", "size-limit")
@pytest.mark.parametrize(
    ("path", "length", "content_type", "status"),
    [
        ("/v1/traces", 1 << 40, "application/json", 413),
        ("/v1/nothing", 10, "application/json", 404),
        ("/v1/traces", 10, "text/plain", 415),
    ],
)
def test_what_is_refused_is_not_asked_for(target: Target, path: str, length: int, content_type: str, status: int) -> None:
    """The sender may never send the body then, so the connection ends."""
    answer = target.raw(head(path, f"Content-Length: {length}", "Expect: 100-continue", content_type=content_type))
    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (status, "close")


def chunked(body: bytes, size: int, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    """Return a body in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces) + b"0\r\n" + trailer + b"\r\n"


@shows("chunked")
def test_chunked_bodies(target: Target) -> None:
    start, body = head("/v1/traces", "Transfer-Encoding: chunked"), a_body(TRACES, "chunked")
    for sent in (chunked(body, 1), chunked(body, 1000), chunked(body, 7, b";name=value"), chunked(body, 7, trailer=b"X-Checksum: 1\r\n")):
        assert ok(target.raw(start + sent))
    assert ok(target.raw(start, *(bytes([byte]) for byte in chunked(body, 5))))


@shows("chunked", "size-limit")
def test_chunked_bodies_are_bounded(target: Target) -> None:
    """Nobody said before how long it is going to be."""
    ours(target)
    piece = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    answer = target.raw(head("/v1/traces", "Transfer-Encoding: chunked"), *([piece] * (2 * OURS_MIB)), b"0\r\n\r\n")
    assert answer is not None
    assert (answer.status, status_of(answer)[0]) == (413, 8)


@shows("not-http")
def test_an_offer_to_upgrade_is_ignored(target: Target) -> None:
    """Java's HTTP client makes it with every first request."""
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    with target.connection() as connection:
        for number in range(2):
            connection.sendall(whole(a_body(TRACES, f"upgrade {number}"), *lines))
            assert ok(read_answer(connection))
        connection.sendall(head("/v1/traces", "Transfer-Encoding: chunked", *lines))
        for byte in chunked(a_body(TRACES, "upgrade 2"), 9):
            connection.sendall(bytes([byte]))
        assert ok(read_answer(connection))
        connection.sendall(whole(b"\x0a\x05", *lines))
        answer = read_answer(connection)
        assert answer is not None
        assert answer.status == 400, "what follows the head is its body"
    assert len(target.rows("SELECT 1 FROM {spans} WHERE name IN ('upgrade 0', 'upgrade 1', 'upgrade 2')", 3)) == 3


@shows("keep-alive")
def test_requests_that_are_sent_without_waiting_are_answered_in_order(target: Target) -> None:
    with target.connection() as connection:
        connection.sendall(
            whole(a_body(TRACES, "pipelined")) + whole(b"\x0a\x05") + whole(a_body(TRACES, "pipelined too"), "Connection: close")
        )
        answers = b""
        while chunk := connection.recv(65536):
            answers += chunk
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400", b"200"]


@shows("not-http")
def test_garbage_behind_a_request_does_not_cost_its_answer(target: Target) -> None:
    answer = target.raw(whole(a_body(TRACES, "before garbage")) + b"\x00garbage\r\n\r\n")
    assert ok(answer)


@shows("size-limit", "not-http")
def test_heads_are_bounded(target: Target) -> None:
    ours(target)
    answer = target.raw(b"POST /v1/traces HTTP/1.1\r\n", b"A: bcdefgh\r\n" * 15_000)
    assert answer is None or (answer.status, status_of(answer)[0]) == (431, 8)


@shows("idle")
def test_thousands_of_idle_connections(target: Target) -> None:
    """Over HTTP and gRPC; they cost descriptors, and nobody else anything."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(MOST_IDLE, soft - 500)
    http, grpc_address = urlsplit(target.http_url), target.grpc_target.rpartition(":")
    addresses = [(http.hostname or "", http.port or 80), (grpc_address[0], int(grpc_address[2]))]
    idle = [socket.create_connection(address, timeout=30) for _ in range(count // 2) for address in addresses]
    try:
        assert len(idle) == count // 2 * 2
        assert target.post(TRACES, a_body(TRACES, "beside idle")).status_code == 200
        assert ok(target.raw(whole(a_body(TRACES, "beside idle, too")))), "new connections are taken, too"
        target.call(TRACES, a_body(TRACES, "beside idle, over gRPC"))
    finally:
        for connection in idle:
            connection.close()
