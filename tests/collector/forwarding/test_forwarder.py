"""Forwarding: what was sealed reaches the backend, as it was redacted, in the parts and with the headers that are configured."""

import time
from pathlib import Path

import grpc
import pytest

from collector.config_filter import FilterConfig
from collector.decode import Decoder
from collector.forwarding.queue import exporter_folder
from collector.forwarding.status import Status, state
from storage.wal import BatchHeader
from tests.collector.forwarding.backends import (
    ID,
    GrpcBackend,
    HttpAnswer,
    HttpBackend,
    batch,
    forward_all,
    names,
    over_grpc,
    over_http,
    ready,
    sealed,
    spans,
)
from tests.collector.otlp_samples import NOW_NS, logs, traces


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


@pytest.mark.parametrize("claim", ["auditlake.tenant", "tenant.id", "traceloop.association.properties.tenant"])
def test_a_record_cannot_claim_another_tenant_at_the_backend(data: Path, backend: HttpBackend, claim: str) -> None:
    """A second auditlake that believes records reads their attributes before those of their resource."""
    forward = over_http(backend.url)
    ready(data, forward)
    claimed = traces({"name": "a"})
    claimed.resource_spans[0].scope_spans[0].spans[0].attributes.add(key=claim).value.string_value = "victim"
    sealed(data, batch(claimed, tenant="acme"))
    forward_all(data, forward)
    decoder = Decoder("n/second", 0)
    decoder.add(
        BatchHeader(signal="traces", tenant=None, received_ns=NOW_NS, policy_hash="p", records=1),
        backend.taken[0].message.SerializeToString(),
    )
    assert decoder.tables(bytes)["spans"]["tenant"].to_pylist() == ["acme"]


def test_signals_and_filters_of_the_pipelines_decide_what_is_forwarded(data: Path, backend: HttpBackend) -> None:
    noise = FilterConfig.model_validate({"spans": {"exclude": {"span_names": ["b"]}}})
    forward = over_http(backend.url, noise, signals=["traces"])
    ready(data, forward)
    sealed(data, spans("a", "b"), batch(logs({"body": "x"}), signal="logs"), spans("b"))
    status = forward_all(data, forward)
    assert [(got.signal, names([got])) for got in backend.taken] == [("traces", ["a"])]
    assert status.counts["filtered"] == 2


def test_a_forwarder_that_says_nothing_is_a_remark_of_health(data: Path, backend: HttpBackend) -> None:
    ready(data, over_http(backend.url))
    assert state(data, ID) == "starting"
    Status(exporter=ID, updated_ns=time.time_ns() - 120 * 10**9).write(exporter_folder(data, ID))
    assert state(data, ID).startswith("degraded: the forwarder has said nothing for 120 s")
