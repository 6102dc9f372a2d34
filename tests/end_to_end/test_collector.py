"""The collector as a process: real OTLP in, Parquet out, clear refusals, a graceful stop (`test_canary`: nothing raw on the disk)."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pyarrow.parquet as pq
import pytest

from collector.instruments import INSTRUMENTS, Kind
from collector.prometheus import prometheus_name
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from storage.catalog import Catalog
from storage.lake import Lake
from tests.collector.exposition import Family, parse
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.lake_checks import check_lake
from tests.polling import wait_until

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
    sealed, in_the_wal = trace_of(["once"]), trace_of(["twice"])
    with CollectorProcess(tmp_path, redacted=False) as collector:
        assert collector.post("traces", sealed).status_code == 200
        assert collector.terminate() == 0
    with CollectorProcess(tmp_path, interval="60s", redacted=False) as collector:
        assert collector.post("traces", sealed).status_code == 200
        assert collector.post("traces", in_the_wal).status_code == 200
        collector.kill()
    with CollectorProcess(tmp_path, redacted=False) as collector:
        assert collector.post("traces", sealed).status_code == 200
        assert collector.post("traces", in_the_wal).status_code == 200
        assert collector.terminate() == 0
    assert sorted(live_rows(tmp_path / "data", "spans", "name")) == ["once", "twice"]


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


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with CollectorProcess(tmp_path_factory.mktemp("running")) as collector:
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
    second = CollectorProcess(tmp_path, data=running.data, node="n1")
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
    assert set(answer.json()["components"]) == {"admission", "receiver", "wal", "sealer", "catalog", "redaction", "reload", "disk"}


def test_ready_waits_for_the_scanner_and_stays(running: CollectorProcess) -> None:
    url = f"http://127.0.0.1:{running.ports['health']}/ready"
    deadline = time.monotonic() + 30
    while (code := httpx.get(url).status_code) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert code == 200
    body = trace_of(["mail jane.roe@example.org"])  # which the scanner judges
    assert running.post("traces", body).status_code == 200
    assert httpx.get(url).status_code == 200


def metrics(collector: CollectorProcess, *, open_metrics: bool = False) -> dict[str, Family]:
    accept = "application/openmetrics-text; version=1.0.0" if open_metrics else "text/plain"
    answer = httpx.get(f"http://127.0.0.1:{collector.ports['health']}/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    return parse(answer.text, open_metrics=open_metrics)


def test_the_example_reports_its_events_with_curl_and_metrics_tell_what_came_of_it(running: CollectorProcess) -> None:
    if shutil.which("curl") is None:
        pytest.skip("the example needs curl")
    environ = {**os.environ, "AUDITLAKE_URL": f"http://127.0.0.1:{running.ports['http']}"}
    script = ["sh", str(Path(__file__).parents[2] / "examples/events.sh")]
    done = subprocess.run(script, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    families = metrics(running)
    assert families["auditlake_records_total"].samples["auditlake_records_total", (("signal", "logs"),)] == 6
    assert families["auditlake_ack_duration_seconds"].samples["auditlake_ack_duration_seconds_count", (("class", "audit"),)] == 1
    assert families["auditlake_wal_commit_duration_seconds"].samples["auditlake_wal_commit_duration_seconds_count", ()] >= 3
    assert families["auditlake_process_memory_bytes"].samples["auditlake_process_memory_bytes", ()] > 20e6
    with Lake.open(running.data) as lake:
        beats = "SELECT status, shutdown FROM heartbeats ORDER BY time"
        wait_until(lambda: lake.sql(beats).num_rows == 2)
        assert lake.sql(beats).to_pylist() == [{"status": "busy", "shutdown": False}, {"status": None, "shutdown": True}]
        assert lake.sql("SELECT action, outcome FROM audit_actions").to_pylist() == [{"action": "report.publish", "outcome": "success"}]


def test_every_metric_is_shown_in_both_formats(running: CollectorProcess) -> None:
    """But those whose labels appear with the first that is counted, of exporters, of which there is none, and of the first checkpoint."""
    labelled = {"auditlake.requests.refused", "auditlake.records.rejected", "auditlake.redaction.withheld", "auditlake.checkpoint.age"}
    shown = [one for one in INSTRUMENTS if one.name not in labelled and not one.name.startswith("auditlake.forward.")]
    names = {prometheus_name(one.name, one.unit): one.kind is Kind.COUNTER for one in shown}
    assert names.keys() - metrics(running, open_metrics=True).keys() == set()
    assert {f"{name}_total" if is_counter else name for name, is_counter in names.items()} - metrics(running).keys() == set()
