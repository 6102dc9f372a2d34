"""A backend that is away and a forwarder that is killed cost time, no record, and no order."""

import threading
from pathlib import Path
from typing import Any

import pytest

from collector.forwarding.answers import Answer
from collector.forwarding.forwarder import Forwarder
from collector.forwarding.process import open_sender
from collector.forwarding.queue import exporter_folder, keep
from collector.forwarding.status import Status, state
from collector.forwarding.told import Told
from collector.signals import Signal
from storage.wal import WalWriter, closed_segments
from tests.collector.forwarding.backends import (
    ID,
    Got,
    GrpcBackend,
    HttpAnswer,
    HttpBackend,
    batch,
    forward_all,
    forwarding,
    names,
    over_grpc,
    over_http,
    queued,
    ready,
    sealed,
    spans,
)
from tests.collector.otlp_samples import logs
from tests.polling import wait_until


def test_a_backend_that_refuses_for_a_while_gets_everything_in_order_of_each_origin(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    backend.answer = lambda _: HttpAnswer(503)
    for entry in range(4):
        sealed(data, spans(f"a{entry}"), origin="a/collector", entry=entry)
        sealed(data, spans(f"b{entry}"), origin="b/collector", entry=entry)
    with forwarding(data, forward):
        wait_until(lambda: (status := Status.read(data, ID)) is not None and status.circuit != "closed")
        assert state(data, ID).startswith("degraded: HTTP 503; 8 segments wait")
        backend.answer = lambda _: HttpAnswer()
        wait_until(lambda: not queued(data))
    arrived = names(backend.taken)
    assert [name for name in arrived if name[0] == "a"] == [f"a{entry}" for entry in range(4)]
    assert [name for name in arrived if name[0] == "b"] == [f"b{entry}" for entry in range(4)]
    assert len(arrived) == 8
    assert state(data, ID) == "ok"


def test_a_grpc_backend_that_is_not_there_and_then_comes(data: Path) -> None:
    away = GrpcBackend()
    port = away.port
    away.close()
    forward = over_grpc(port)
    ready(data, forward)
    sealed(data, spans("a"))
    with forwarding(data, forward):
        wait_until(lambda: (status := Status.read(data, ID)) is not None and status.trouble == "UNAVAILABLE")
        come = GrpcBackend(port)
        wait_until(lambda: not queued(data))
    assert names(come.taken) == ["a"]
    come.close()


def test_a_backend_that_takes_a_request_and_never_answers_is_asked_again(
    data: Path, backend: HttpBackend, grpc_backend: GrpcBackend
) -> None:
    answers = threading.Event()

    def late(_: Got) -> HttpAnswer:
        answers.wait(10)
        return HttpAnswer()

    def never(_: Got) -> None:
        answers.wait(10)

    backend.answer, grpc_backend.fails = late, never
    for forward, trouble in (
        (over_http(backend.url, timeout="50ms"), "timeout"),
        (over_grpc(grpc_backend.port, timeout="50ms"), "DEADLINE_EXCEEDED"),
    ):
        answers.clear()
        ready(data, forward)
        sealed(data, spans("a"))
        with forwarding(data, forward):
            wait_until(lambda trouble=trouble: (status := Status.read(data, ID)) is not None and status.trouble == trouble)
            answers.set()
            wait_until(lambda: not queued(data))
        (exporter_folder(data, ID) / "cursor.json").unlink()


class Dies(Exception):
    """The forwarder is gone."""


class DyingSender:
    """Passes on what it is given, and dies behind the backend's answer to the request of this number."""

    def __init__(self, real: Any, dies_at: int) -> None:
        self._real = real
        self._left = dies_at

    def send(self, signal: Signal, body: bytes) -> Answer:
        answer: Answer = self._real.send(signal, body)
        self._left -= 1
        if not self._left:
            raise Dies
        return answer

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_a_crash_behind_the_backends_answer_sends_the_same_request_again_and_no_other(
    data: Path, backend: HttpBackend, dies_at: int
) -> None:
    """At least once; and as requests are cut the same way again, a backend that knows exact resends stores it once."""
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("a"), batch(logs({"body": "x"}), signal="logs"), entry=0)
    sealed(data, spans("b"), entry=1)
    sender = DyingSender(open_sender(forward), dies_at)
    with pytest.raises(Dies):
        Forwarder(data, forward, sender, Told(data, "n"), threading.Event()).run()
    sender.close()
    forward_all(data, forward)
    bodies = [got.message.SerializeToString() for got in backend.taken]
    assert len(bodies) == 4
    assert bodies[dies_at - 1] == bodies[dies_at]
    assert len(set(bodies)) == 3


def test_a_segment_that_a_dying_sealer_puts_into_the_queue_again_is_not_sent_again(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    with WalWriterOf(data) as writer:
        writer.append([spans("a")])
        writer.rotate()
        (segment,) = closed_segments(data)
        keep(data, segment)
        forward_all(data, forward)
        keep(data, segment)
        forward_all(data, forward)
    assert names(backend.taken) == ["a"]


class WalWriterOf(WalWriter):
    """A writer that is closed at the end of its block."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, "n/collector")

    def __enter__(self) -> "WalWriterOf":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
