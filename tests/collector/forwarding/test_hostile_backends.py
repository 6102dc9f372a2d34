"""Backends that do what no backend should, disks and clocks likewise: records arrive all the same, once, and nothing grows without end."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.forwarding import dead_letters
from collector.forwarding import forwarder as forwarder_module
from collector.forwarding.answers import Kind
from collector.forwarding.cursor import Cursor, Position
from collector.forwarding.forwarder import steady_clock
from collector.forwarding.process import open_sender
from collector.forwarding.queue import exporter_folder
from collector.forwarding.requests import first_seq
from collector.signals import TRACES
from storage.wal import Segment
from tests.collector.forwarding.backends import (
    ID,
    GrpcBackend,
    HttpAnswer,
    HttpBackend,
    forward_all,
    names,
    over_grpc,
    over_http,
    queued,
    ready,
    sealed,
    spans,
)


@contextmanager
def saying(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that reads nothing and answers each connection with what `say` writes, until the event is set."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    say(connection, over)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"], ids=["in its head", "in its body"]
)
def test_a_backend_that_answers_byte_by_byte_has_the_time_of_one_request(head: bytes) -> None:
    """Each byte comes in time: else the queue of this exporter would stand, and not even be kept within its bounds."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(0.02):
            connection.sendall(b"x")

    with saying(drip) as url:
        sender = open_sender(over_http(url, timeout="300ms"))
        for _ in range(2):
            answer = sender.send(TRACES, b"")
            assert (answer.kind, answer.reason) == (Kind.RETRY, "timeout")
        sender.close()


def test_an_answer_of_many_megabytes_does_not_have_records_sent_again(data: Path, grpc_backend: GrpcBackend) -> None:
    grpc_backend.response = bytes(5 << 20)
    forward = over_grpc(grpc_backend.port)
    ready(data, forward)
    sealed(data, spans("a", "b", "c", "d"))
    assert forward_all(data, forward).counts["sent"] == 4
    assert names(grpc_backend.asked) == ["a", "b", "c", "d"]


def test_dead_letters_are_bounded_by_their_number_too(data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that refuses everything, however small it is."""
    monkeypatch.setattr(dead_letters, "MOST_LETTERS", 3)
    backend.answer = lambda _: HttpAnswer(400)
    forward = over_http(backend.url)
    ready(data, forward)
    for entry in range(6):
        sealed(data, spans(f"span {entry}"), entry=entry)
    forward_all(data, forward)
    letters = sorted(path.suffix for path in (exporter_folder(data, ID) / "dead-letters").iterdir())
    assert letters == [".json"] * 3 + [".pb"] * 3


def test_a_dead_letter_that_cannot_be_kept_has_nothing_sent_again(
    data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with room for a cursor and none for a letter."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dead_letters, "write_file", full)
    backend.answer = lambda got: HttpAnswer(400 if names([got]) == ["refused"] else 200)
    forward = over_http(backend.url, sending_queue={"batch": {"max_size": 1}})
    ready(data, forward)
    sealed(data, spans("taken", "refused"))
    assert forward_all(data, forward).counts["rejected"] == 1
    assert names(backend.asked) == ["taken", "refused"]


def test_a_small_disk_does_not_cost_what_a_backend_takes(data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_module, "MIN_FREE_BYTES", 1 << 62)
    forward = over_http(backend.url)
    ready(data, forward)
    for entry in range(3):
        sealed(data, spans(f"span {entry}"), entry=entry)
    status = forward_all(data, forward)
    assert (status.counts["sent"], status.counts.get("dropped", 0)) == (3, 0)


def test_a_clock_that_is_put_right_makes_nothing_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that starts in 1970 and hears the time later."""
    clock, before = steady_clock(), time.time()
    monkeypatch.setattr(time, "time", lambda: before + 50 * 365 * 86400)
    assert clock() < before + 3600


def test_a_damaged_cursor_sends_again_and_leaves_nothing_out(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("a"))
    (path,) = queued(data)
    segment = Segment(origin="n/collector", entry=0, path=path)
    seq = first_seq(segment, data / "quarantine")
    assert seq is not None
    folder = exporter_folder(data, ID)
    Cursor(folder).advance(Position(origin=segment.origin, entry=0, seq=seq, begin=10))
    noted = folder / "cursor.json"
    noted.write_bytes(noted.read_bytes().replace(b'"begin":10', b'"begin":9000'))
    forward_all(data, forward)
    assert names(backend.taken) == ["a"]
