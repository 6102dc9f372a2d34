"""The collector as a process: real OTLP in, Parquet out, clear refusals, a graceful stop, and nothing raw on the disk."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pyarrow.parquet as pq
import pytest

from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from storage.catalog import Catalog
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.lake_checks import check_lake
from tests.leak_scan import scan

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pb"))
TABLES = {"traces": "spans", "logs": "events", "metrics": "metrics"}


def live_rows(data: Path, table: str, column: str) -> list[Any]:
    """One column of all live rows."""
    settle(data)
    catalog = Catalog.open(data, read_only=True)
    values: list[Any] = []
    for file in catalog.live_files(table):
        values += pq.read_table(data / file.path, columns=[column], partitioning=None)[column].to_pylist()
    catalog.close()
    return values


def own(scopes: list[Any]) -> list[Any]:
    return [scope for scope in scopes if scope == "auditlake.collector"]


def records_of(signal: Signal, message: Message) -> int:
    """How many rows a request must become, counted without our own code."""
    if signal is METRICS:
        metrics = [metric for group in message.resource_metrics for scope in group.scope_metrics for metric in scope.metrics]
        return sum(len(getattr(metric, metric.WhichOneof("data")).data_points) for metric in metrics)
    groups, scopes, records = {TRACES: ("resource_spans", "scope_spans", "spans"), LOGS: ("resource_logs", "scope_logs", "log_records")}[
        signal
    ]
    return sum(len(getattr(scope, records)) for group in getattr(message, groups) for scope in getattr(group, scopes))


def marked(message: Message, protocol: str) -> bytes:
    """The same request as another sender would send it: otherwise it is a resend."""
    for field in ("resource_spans", "resource_logs", "resource_metrics"):
        for group in getattr(message, field, ()):
            group.resource.attributes.add(key="test.protocol").value.string_value = protocol
    return bytes(message.SerializeToString())


def test_every_capture_over_both_protocols_becomes_as_many_rows(tmp_path: Path) -> None:
    expected = dict.fromkeys(TABLES.values(), 0)
    with CollectorProcess(tmp_path) as collector, grpc.insecure_channel(f"127.0.0.1:{collector.ports['grpc']}") as channel:
        for capture in CAPTURES:
            signal = SIGNALS[capture.stem.rpartition("-")[2]]
            message = signal.request.FromString(capture.read_bytes())
            expected[TABLES[signal.name]] += 2 * records_of(signal, message)
            for _ in range(2):  # the second is a resend
                assert collector.post(signal.name, capture.read_bytes()).content == b""
            channel.unary_unary(f"/{signal.grpc_service}/Export")(marked(message, "grpc"), timeout=10)
        assert collector.terminate() == 0
    for table, count in expected.items():
        scopes = live_rows(tmp_path / "data", table, "scope_name")
        assert len(scopes) - len(own(scopes)) == count, table
    assert own(live_rows(tmp_path / "data", "metrics", "scope_name")), "the collector's own metrics are written at the latest at its end"
    assert {"auditlake.ack.duration", "auditlake.records"} <= set(live_rows(tmp_path / "data", "metrics", "metric_name"))
    received, stored, deduplicated = counted(tmp_path / "data")
    assert stored == sum(expected.values())
    assert deduplicated == stored // 2
    assert received == stored + deduplicated
    check_lake(tmp_path / "data")


def counted(data: Path) -> tuple[int, int, int]:
    catalog = Catalog.open(data, read_only=True)
    entries = catalog.entries()
    catalog.close()
    return sum(each.received for each in entries), sum(each.stored for each in entries), sum(each.deduplicated for each in entries)


def test_a_resend_after_a_restart_is_still_a_resend(tmp_path: Path) -> None:
    body = trace_of(["once"])
    for _ in range(2):
        with CollectorProcess(tmp_path) as collector:
            assert collector.post("traces", body).status_code == 200
            assert collector.terminate() == 0
    with CollectorProcess(tmp_path) as collector:  # this time the first is not sealed when the process dies
        other = trace_of(["twice"])
        assert collector.post("traces", other).status_code == 200
        collector.kill()
    with CollectorProcess(tmp_path) as collector:
        assert collector.post("traces", other).status_code == 200
        assert collector.terminate() == 0
    assert sorted(live_rows(tmp_path / "data", "spans", "name")) == ["once", "twice"]


SECRETS = ("jane.roe@example.org", "4111 1111 1111 1111", "sk-proj-Zq8Kx2Lm5Np7Rt9Vw1Yb3Dc6Fg4Hj0")
CONTROL = "harmless control value"


def leaking(signal: Signal, secret: str) -> bytes:
    """A request that holds `secret` in every text that the signal has."""
    message = signal.request()
    group = getattr(message, f"resource_{'spans' if signal is TRACES else signal.name}").add(schema_url=secret)
    group.resource.attributes.add(key=secret).value.string_value = secret
    group.resource.entity_refs.add(type=secret, id_keys=[secret])
    scope = getattr(group, f"scope_{'spans' if signal is TRACES else signal.name}").add(schema_url=secret)
    scope.scope.name, scope.scope.version = secret, secret
    if signal is TRACES:
        record = scope.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), name=f"call {secret}", trace_state=secret)
        record.status.message = f"failed for {secret}"
        record.events.add(name=secret).attributes.add(key="e").value.bytes_value = secret.encode()
        record.links.add(trace_state=secret).attributes.add(key=secret).value.string_value = CONTROL
    elif signal is LOGS:
        record = scope.log_records.add(event_name=secret, severity_text=secret, time_unix_nano=time.time_ns())
        record.body.kvlist_value.values.add(key=secret).value.array_value.values.add().string_value = f'{{"to": "{secret}"}}'
    else:
        metric = scope.metrics.add(name=secret, description=secret, unit=secret)
        metric.metadata.add(key=secret)
        record = metric.sum.data_points.add(as_int=1, time_unix_nano=time.time_ns())
        record.exemplars.add().filtered_attributes.add(key="x").value.string_value = secret
    record.attributes.add(key="text").value.string_value = f"{CONTROL}: reach me at {secret}"
    record.attributes.add(key="input.messages").value.string_value = f'[{{"content": "my data is {secret}"}}]'
    record.attributes.add(key="card").value.int_value = 4111111111111111
    return bytes(message.SerializeToString())


def test_nothing_raw_is_on_the_disk_neither_in_the_wal_nor_in_the_lake(tmp_path: Path) -> None:
    """Nothing is rotated at first, so that the WAL itself is scanned; then the sealed lake, and the log."""
    with CollectorProcess(tmp_path, interval="60s") as collector:
        for signal in SIGNALS.values():
            for secret in SECRETS:
                assert collector.post(signal.name, leaking(signal, secret)).status_code == 200
        collector.kill()
    found = scan(tmp_path, [*SECRETS, "4111111111111111", CONTROL])
    assert any("wal" in place for place in found[CONTROL]), "the scan must see what the WAL holds"
    assert {secret: places for secret, places in found.items() if places and secret != CONTROL} == {}
    with CollectorProcess(tmp_path) as collector:
        assert collector.terminate() == 0
    settle(tmp_path / "data")
    found = scan(tmp_path, [*SECRETS, "4111111111111111", CONTROL])
    assert any("column" in place for place in found[CONTROL])
    assert {secret: places for secret, places in found.items() if places and secret != CONTROL} == {}
    assert len(live_rows(tmp_path / "data", "spans", "redactions")) == len(SECRETS)
    assert all(dict(row) for row in live_rows(tmp_path / "data", "spans", "redactions"))


def test_sigterm_under_load_keeps_everything_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[str] = []

    def send(sender: int, url: str) -> None:
        with httpx.Client(timeout=10, headers={"content-type": "application/x-protobuf"}) as client:
            for number in range(10_000):
                names = [f"{sender}-{number}-{index}" for index in range(50)]
                try:
                    if client.post(url, content=trace_of(names)).status_code != 200:
                        return
                except httpx.TransportError:
                    return
                acknowledged.extend(names)

    with CollectorProcess(tmp_path) as collector:
        url = f"http://127.0.0.1:{collector.ports['http']}/v1/traces"
        senders = [threading.Thread(target=send, args=(number, url)) for number in range(3)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 20
        while len(acknowledged) < 3000 and time.monotonic() < deadline:
            time.sleep(0.05)
        begun = time.monotonic()
        assert collector.terminate() == 0, collector.log.read_text()
        assert time.monotonic() - begun < 10
        for sender in senders:
            sender.join(10)
    names = live_rows(tmp_path / "data", "spans", "name")
    assert len(names) == len(set(names))
    assert set(acknowledged) <= set(names)
    check_lake(tmp_path / "data")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[CollectorProcess]:
    with CollectorProcess(tmp_path) as collector:
        yield collector


def refusal(collector: CollectorProcess) -> str:
    """Start a collector that must not start; returns its error."""
    with pytest.raises(RuntimeError) as caught:
        collector.start()
    collector.kill()
    assert collector.process.returncode == 2
    message = str(caught.value)
    assert "Traceback" not in message
    return message


def test_a_taken_port_is_one_line_with_the_remedy_and_touches_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for protocol in ("grpc", "http"):
            message = refusal(CollectorProcess(tmp_path, node=protocol, **{protocol: port}))
            assert f"127.0.0.1:{port}" in message
            assert "change the endpoint" in message
            assert len(message.strip().splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_a_second_collector_of_the_same_name_is_refused_and_the_first_goes_on(running: CollectorProcess, tmp_path: Path) -> None:
    second = CollectorProcess(tmp_path / ".." / tmp_path.name, node="n1")
    second.log = tmp_path / "second.log"
    assert "n1/collector" in refusal(second)
    assert running.post("traces", trace_of(["still here"])).status_code == 200


def test_a_data_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    message = refusal(CollectorProcess(tmp_path, data=tmp_path / "file" / "data"))
    assert "could not" in message
    assert "(" in message, "a remedy"


def test_health_names_every_component(running: CollectorProcess) -> None:
    answer = running.health()
    assert answer.status_code == 200
    assert set(answer.json()["components"]) == {"receiver", "wal", "sealer", "catalog", "redaction", "reload", "disk"}


def test_ready_waits_for_the_scanner_and_stays(running: CollectorProcess) -> None:
    url = f"http://127.0.0.1:{running.ports['health']}/ready"
    deadline = time.monotonic() + 30
    while (code := httpx.get(url).status_code) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert code == 200
    assert running.post("traces", leaking(TRACES, SECRETS[0])).status_code == 200
    assert httpx.get(url).status_code == 200
