"""Forwarding: what was sealed reaches the backend, redacted, in order, whatever becomes of the backend or of the forwarder."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import grpc
import orjson
import pytest

from collector.config_filter import FilterConfig
from collector.forwarding import forwarder as forwarder_module
from collector.forwarding.answers import Answer
from collector.forwarding.cursor import Cursor
from collector.forwarding.forwarder import Forwarder
from collector.forwarding.process import open_sender
from collector.forwarding.queue import exporter_folder, keep
from collector.forwarding.status import Status, state
from collector.forwarding.told import Told
from collector.sealer import seal_pending
from collector.signals import TRACES, Signal
from storage.catalog import Catalog
from storage.wal import WalWriter, closed_segments
from tests.collector.forwarding.backends import (
    ID,
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
from tests.collector.otlp_samples import logs, traces
from tests.polling import wait_until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def backend() -> Iterator[HttpBackend]:
    running = HttpBackend()
    yield running
    running.close()


@pytest.fixture
def grpc_backend() -> Iterator[GrpcBackend]:
    running = GrpcBackend()
    yield running
    running.close()


def test_small_batches_arrive_as_one_request_a_signal_and_the_queue_is_empty(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("a"), batch(logs({"body": "hello"}), signal="logs"), spans("b", "c"))
    status = forward_all(data, forward)
    assert [got.signal for got in backend.taken] == ["traces", "logs"]
    assert names(backend.taken) == ["a", "b", "c"]
    assert (status.counts["requests"], status.counts["sent"], status.queue_segments, status.queue_bytes) == (2, 4, 0, 0)


@pytest.mark.parametrize("compression", ["gzip", "deflate", "zstd", "none"])
def test_every_compression_over_http_is_real(data: Path, backend: HttpBackend, compression: str) -> None:
    forward = over_http(backend.url, compression=compression)
    ready(data, forward)
    sealed(data, spans("a"))
    forward_all(data, forward)
    assert backend.taken[0].headers.get("content-encoding", "none") == compression
    assert names(backend.taken) == ["a"]


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_every_compression_over_grpc_is_real(data: Path, grpc_backend: GrpcBackend, compression: str) -> None:
    forward = over_grpc(grpc_backend.port, compression=compression)
    ready(data, forward)
    sealed(data, spans("a"), batch(logs({"body": "x"}), signal="logs"))
    forward_all(data, forward)
    assert names(grpc_backend.taken) == ["a"]
    assert [got.signal for got in grpc_backend.taken] == ["traces", "logs"]


def test_headers_reach_the_backend_and_nothing_else(
    data: Path, backend: HttpBackend, grpc_backend: GrpcBackend, capfd: pytest.CaptureFixture[str]
) -> None:
    token = "Bearer " + "t0ken" * 4
    backend.answer = lambda _: HttpAnswer(400, token.encode())
    for forward, taken in (
        (over_http(backend.url, headers={"Authorization": token}), backend),
        (over_grpc(grpc_backend.port, headers={"Authorization": token}), grpc_backend),
    ):
        ready(data, forward)
        sealed(data, spans("a"))
        forward_all(data, forward)
        assert taken.asked[0].headers["authorization"] == token
        assert token not in repr(forward)
    written = [path for path in data.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert written == []
    assert token not in "".join(capfd.readouterr())


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


def test_what_is_larger_than_the_peer_takes_goes_in_parts(data: Path, backend: HttpBackend, grpc_backend: GrpcBackend) -> None:
    """The bound is learnt: later requests are cut before they are sent."""
    called = [f"span {number}" for number in range(40)]
    too_large = (grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (4 vs. 3)", None)
    backend.answer = lambda got: HttpAnswer(413 if got.size_bytes > 600 else 200)
    grpc_backend.fails = lambda got: too_large if got.size_bytes > 600 else None
    for forward, taken in ((over_http(backend.url), backend), (over_grpc(grpc_backend.port), grpc_backend)):
        ready(data, forward)
        sealed(data, spans(*called), entry=0)
        sealed(data, spans(*called), entry=1)
        status = forward_all(data, forward)
        assert names(taken.taken) == called * 2
        assert len(taken.asked) - len(taken.taken) <= 3
        assert "rejected" not in status.counts or not status.counts["rejected"]
        for path in exporter_folder(data, ID).glob("cursor.json"):
            path.unlink()


def test_requests_hold_as_many_records_as_configured(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url, sending_queue={"batch": {"max_size": 3}})
    ready(data, forward)
    sealed(data, spans("a", "b"), spans("c", "d"), spans("e", "f", "g", "h"))
    forward_all(data, forward)
    assert [len(names([got])) for got in backend.taken] == [2, 2, 2, 2]
    assert names(backend.taken) == list("abcdefgh")


def test_what_is_refused_for_good_is_counted_kept_and_told_and_the_next_one_follows(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    backend.answer = lambda got: HttpAnswer(400, b"no") if names([got]) == ["bad"] else HttpAnswer()
    sealed(data, spans("bad"), entry=0)
    sealed(data, spans("good"), entry=1)
    status = forward_all(data, forward)
    assert names(backend.taken) == ["good"]
    assert (status.counts["rejected"], status.counts["sent"]) == (1, 1)
    (letter,) = (exporter_folder(data, ID) / "dead-letters").glob("*.pb")
    why = orjson.loads(letter.with_suffix(".json").read_bytes())
    assert (why["reason"], why["records"], why["message"]) == ("HTTP 400", 1, "no")
    assert TRACES.request.FromString(letter.read_bytes()).resource_spans
    assert events(data) == [("forward.rejected", ID, "HTTP 400", "1")]


def events(data: Path) -> list[tuple[Any, ...]]:
    """What the forwarder told, as everyone can query it."""
    catalog = Catalog.open(data)
    seal_pending(data, catalog)
    catalog.close()
    files = str(data / "data/events/**/*.parquet")
    keys = [f"attributes['auditlake.forward.{name}']" for name in ("exporter", "reason", "records")]
    return duckdb.sql(f"SELECT event_name, {', '.join(keys)} FROM read_parquet('{files}') ORDER BY 1").fetchall()


@pytest.mark.parametrize(
    ("code", "details"),
    [(grpc.StatusCode.INVALID_ARGUMENT, "bad"), (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota"), (grpc.StatusCode.UNIMPLEMENTED, "")],
)
def test_a_grpc_code_that_must_not_be_retried_is_not(data: Path, grpc_backend: GrpcBackend, code: grpc.StatusCode, details: str) -> None:
    grpc_backend.fails = lambda _: (code, details, None)
    forward = over_grpc(grpc_backend.port)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["rejected"] == 1
    assert len(grpc_backend.asked) == 1


def test_retry_info_makes_resource_exhausted_retryable(data: Path, grpc_backend: GrpcBackend) -> None:
    grpc_backend.fails = lambda _: (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", 0.02) if len(grpc_backend.asked) < 3 else None
    forward = over_grpc(grpc_backend.port)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["retried"] == 2
    assert names(grpc_backend.taken) == ["a"]


def test_a_partial_success_is_not_sent_again(data: Path, backend: HttpBackend, grpc_backend: GrpcBackend) -> None:
    response = TRACES.response()
    response.partial_success.rejected_spans = 1
    response.partial_success.error_message = "one of them"
    backend.answer = lambda _: HttpAnswer(200, response.SerializeToString())
    grpc_backend.response = response.SerializeToString()
    for forward, asked in ((over_http(backend.url), backend.asked), (over_grpc(grpc_backend.port), grpc_backend.asked)):
        ready(data, forward)
        sealed(data, spans("a", "b", "c"))
        status = forward_all(data, forward)
        assert (status.counts["sent"], status.counts["rejected"], len(asked)) == (2, 1, 1)
        for path in exporter_folder(data, ID).glob("cursor.json"):
            path.unlink()


def test_a_token_that_expired_costs_no_record(data: Path, backend: HttpBackend) -> None:
    """It says nothing about the records: they wait until the operator has put it right."""
    forward = over_http(backend.url)
    ready(data, forward)
    backend.answer = lambda _: HttpAnswer(401 if len(backend.asked) < 4 else 200)
    sealed(data, spans("a"))
    status = forward_all(data, forward)
    assert (names(backend.taken), status.counts["retried"], status.counts.get("rejected", 0)) == (["a"], 3, 0)


def test_a_limit_of_time_or_no_retries_at_all_are_kept_to(data: Path, backend: HttpBackend) -> None:
    backend.answer = lambda _: HttpAnswer(503)
    for retry in ({"enabled": False}, {"initial_interval": "5ms", "max_elapsed_time": "20ms"}):
        forward = over_http(backend.url, retry_on_failure=retry)
        ready(data, forward)
        sealed(data, spans("a"))
        forward_all(data, forward)
    assert Cursor(exporter_folder(data, ID)).counts["rejected"] == 2


def test_auditlakes_own_records_are_forwarded_only_when_asked_for(data: Path, backend: HttpBackend) -> None:
    for own in (False, True):
        forward = over_http(backend.url, include_own=own)
        ready(data, forward)
        sealed(data, spans("theirs"), batch(traces({"name": "own"}), own=True))
        forward_all(data, forward)
    assert names(backend.taken) == ["theirs", "theirs", "own"]


def test_the_tenant_of_the_credentials_goes_along_in_place_of_the_claim(data: Path, backend: HttpBackend) -> None:
    forward = over_http(backend.url)
    ready(data, forward)
    claimed = traces({"name": "a"})
    claimed.resource_spans[0].resource.attributes.add(key="auditlake.tenant").value.string_value = "somebody else"
    claimed.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "support"
    sealed(data, batch(claimed, tenant="acme"))
    forward_all(data, forward)
    (resource,) = [group.resource for group in backend.taken[0].message.resource_spans]
    assert {pair.key: pair.value.string_value for pair in resource.attributes} == {"service.name": "support", "auditlake.tenant": "acme"}


def test_signals_and_filters_of_the_pipelines_decide_what_is_forwarded(data: Path, backend: HttpBackend) -> None:
    noise = FilterConfig.model_validate({"spans": {"exclude": {"span_names": ["b"]}}})
    forward = over_http(backend.url, noise, signals=["traces"])
    ready(data, forward)
    sealed(data, spans("a", "b"), batch(logs({"body": "x"}), signal="logs"), spans("b"))
    status = forward_all(data, forward)
    assert [(got.signal, names([got])) for got in backend.taken] == [("traces", ["a"])]
    assert status.counts["filtered"] == 2


@pytest.mark.parametrize(
    ("bounds", "reason"), [({"queue_size": 600, "sizer": "bytes"}, "queue full"), ({"max_age": "1ms"}, "too old")], ids=["bytes", "age"]
)
def test_over_its_bounds_the_queue_drops_the_oldest_and_says_so(
    data: Path, backend: HttpBackend, bounds: dict[str, Any], reason: str
) -> None:
    backend.answer = lambda _: HttpAnswer(503)
    forward = over_http(backend.url, sending_queue=bounds)
    ready(data, forward)
    for entry in range(4):
        sealed(data, spans(f"name {entry}", "second"), entry=entry)
    sizes = [path.stat().st_size for path in queued(data)]
    with forwarding(data, forward):
        wait_until(lambda: (status := Status.read(data, ID)) is not None and status.counts.get("dropped"))
        left = queued(data)
    assert sum(path.stat().st_size for path in left) <= 600
    assert [path.name[-5] for path in left] == [str(number) for number in range(4 - len(left), 4)]
    dropped = 2 * (len(sizes) - len(left))
    assert events(data) == [("forward.dropped", ID, reason, str(dropped))]


def test_a_full_disk_takes_from_the_queue_before_ingestion_suffers(
    data: Path, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder_module, "MIN_FREE_BYTES", 1 << 62)
    backend.answer = lambda _: HttpAnswer(503)
    forward = over_http(backend.url)
    ready(data, forward)
    sealed(data, spans("a"))
    assert forward_all(data, forward).counts["dropped"] == 1


def test_dead_letters_are_bounded(data: Path, backend: HttpBackend) -> None:
    backend.answer = lambda _: HttpAnswer(400)
    forward = over_http(backend.url, sending_queue={"dead_letter_bytes": 200})
    ready(data, forward)
    for entry in range(4):
        sealed(data, spans(f"span {entry}"), entry=entry)
    forward_all(data, forward)
    letters = list((exporter_folder(data, ID) / "dead-letters").iterdir())
    assert 0 < sum(path.stat().st_size for path in letters if path.suffix == ".pb") <= 200
    assert len(letters) == 2 * sum(path.suffix == ".pb" for path in letters)


def test_a_forwarder_that_says_nothing_is_a_remark_of_health(data: Path, backend: HttpBackend) -> None:
    ready(data, over_http(backend.url))
    assert state(data, ID) == "starting"
    Status(exporter=ID, updated_ns=time.time_ns() - 120 * 10**9).write(exporter_folder(data, ID))
    assert state(data, ID).startswith("degraded: the forwarder has said nothing for 120 s")
