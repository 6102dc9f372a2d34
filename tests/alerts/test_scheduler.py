"""The alert process as a whole: waits, evaluates, delivers, hands over, reloads and stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from alerts.errors import AlertsError, RuleFileError
from alerts.receivers.alertmanager import Peer
from alerts.receivers.receiver import Integration
from alerts.receivers.webhook import WebhookReceiver
from alerts.scheduler import run_scheduler
from alerts.state import AlertStore
from alerts.watermark import MAX_LAG, evaluation_time, ingest_watermark
from storage.wal import BatchHeader, RecordType, WalWriter, closed_segments, read_segment
from tests.alerts.agent_lake import NOW, AgentLake, unix_ns
from tests.alerts.fakes import as_it_is, webhook
from tests.alerts.http_server import http_server

FIRES = (
    "groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: SELECT 'r-1' AS run_id, annotations: {summary: it fires}}]}]\n".replace(
        "SELECT 'r-1' AS run_id", "\"SELECT 'r-1' AS run_id, count(*) AS value FROM runs\""
    )
)
PATIENCE_SECONDS = 20.0


def until(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@contextmanager
def scheduler(data: Path, rules: Path, *, receivers: tuple[Integration, ...] = (), **settings: Any) -> Iterator[threading.Event]:
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            run_scheduler(
                data=data,
                rules=[rules],
                interval_seconds=1,
                receivers=receivers,
                stop=stop,
                node="n",
                clean=as_it_is,
                policy_hash="p",
                external_url="http://auditlake.test",
                **settings,
            )
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "it stops within ten seconds"
    assert failures == []


def evaluated(data: Path) -> list[str]:
    """Return the names of the rules that have been evaluated."""
    try:
        store = AlertStore.open(data, read_only=True)
    except AlertsError:
        return []
    try:
        return sorted({str(row["rule"]).split(";")[2] for row in store.evaluations()})
    finally:
        store.close()


def batches(data: Path) -> list[Any]:
    """Return the records that wait to be sealed, in order."""
    records = [record for segment in closed_segments(data) for record in read_segment(segment, data / "quarantine")]
    return [record for record in records if record.type == RecordType.BATCH]


def headers(data: Path) -> list[BatchHeader]:
    return [BatchHeader.from_bytes(record.header) for record in batches(data)]


def journalled(data: Path) -> list[dict[str, str]]:
    """Return name, scope and attributes of the events that wait to be sealed, in order."""
    found = []
    for record in batches(data):
        [resource] = ExportLogsServiceRequest.FromString(record.payload).resource_logs
        for event in resource.scope_logs[0].log_records:
            attributes = {pair.key: pair.value.string_value for pair in event.attributes}
            found.append({"name": event.event_name, "scope": resource.scope_logs[0].scope.name, **attributes})
    return found


def reloads(data: Path) -> list[dict[str, str]]:
    """Return the attributes of the events `rules.reload` that wait to be sealed, in order."""
    told = [event for event in journalled(data) if event["name"] == "rules.reload"]
    return [{key.removeprefix("auditlake."): text for key, text in event.items() if key not in {"name", "scope"}} for event in told]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(FIRES)
    return path


def test_from_a_lake_that_is_not_there_to_webhook_and_journal(tmp_path: Path, rules: Path) -> None:
    data = tmp_path / "data"
    with webhook() as hook, scheduler(data, rules, receivers=(WebhookReceiver(name="on-call", url=hook.url),)):
        until((data / "alerts.lock").exists, "the lease")
        assert evaluated(data) == [], "there is no lake yet"
        AgentLake(data).seal()
        until(lambda: len(hook.requests) == 1, "the webhook")
        until(lambda: any(event["name"] == "alert.notification" for event in journalled(data)), "the journal")
    for header in headers(data):
        assert (header.own, header.policy_hash) == (True, "p")
    assert {segment.origin for segment in closed_segments(data)} == {"n/alerts"}
    [transition] = [event for event in journalled(data) if event.get("auditlake.run.id") == "r-1"]
    [notification] = [event for event in journalled(data) if event["name"] == "alert.notification"]
    assert (transition["scope"], transition["name"], transition["auditlake.alert.state"]) == (
        "auditlake.alerts",
        "alert.transition",
        "firing",
    )
    assert (notification["auditlake.outcome"], notification["auditlake.alert.receiver"]) == ("sent", "on-call")
    assert hook.bodies[0]["alerts"][0]["generatorURL"] == "http://auditlake.test/run?run=r-1"


def test_alertmanagers_are_told_in_the_place_of_receivers(tmp_path: Path, rules: Path) -> None:
    """Each peer; what happened is in the lake all the same."""
    AgentLake(tmp_path).seal()
    with http_server() as one, http_server() as two:
        peers = (Peer(name="alertmanager/1", url=one.url), Peer(name="alertmanager/2", url=two.url))
        with scheduler(tmp_path, rules, alertmanagers=peers):
            until(lambda: bool(one.requests and two.requests), "both peers")
            until(lambda: any(event.get("auditlake.run.id") == "r-1" for event in journalled(tmp_path)), "the journal")
    for peer in (one, two):
        assert (peer.requests[0].path, peer.bodies[0][0]["labels"]) == ("/api/v2/alerts", {"alertname": "Always", "run_id": "r-1"})


def test_a_restart_tells_nothing_again(tmp_path: Path, rules: Path) -> None:
    AgentLake(tmp_path).seal()
    with webhook() as hook:
        target = WebhookReceiver(name="on-call", url=hook.url)
        with scheduler(tmp_path, rules, receivers=(target,)):
            until(lambda: len(hook.requests) == 1, "the webhook")
        store = AlertStore.open(tmp_path)
        before = len(store.evaluations())
        with scheduler(tmp_path, rules, receivers=(target,)):
            until(lambda: len(store.evaluations()) > before + 1, "two evaluations after the restart")
        store.close()
    assert len(hook.requests) == 1


def test_a_damaged_file_is_told_once_and_remembered(tmp_path: Path, rules: Path) -> None:
    """The rules go on with what there is; the log and `alerts list` say what they do not see. A file that is back is not."""
    lake = AgentLake(tmp_path)
    lake.tool(timedelta())
    whole = {path: path.read_bytes() for path in lake.seal().data.rglob("data/spans/**/*.parquet")}
    [path] = whole
    lake.tool(timedelta(), run="run-2")
    lake.seal()
    path.write_bytes(b"scrambled")

    def said() -> list[tuple[str, int]]:
        return [(file.path, file.rows) for file in store.damaged()]

    store = AlertStore.open(tmp_path)
    with structlog.testing.capture_logs() as lines:
        with scheduler(tmp_path, rules):
            until(lambda: said() == [(str(path.relative_to(tmp_path)), 1)], "it is remembered")
            until(lambda: len(store.evaluations()) >= 3, "three evaluations")
        assert [status.error for status in store.rules()] == [None]
        path.write_bytes(whole[path])
        with scheduler(tmp_path, rules):
            until(lambda: said() == [], "it is back")
    store.close()
    told = [line for line in lines if line["event"] == "rules do not see a damaged file"]
    assert [(line["path"], line["log_level"]) for line in told] == [(str(path.relative_to(tmp_path)), "warning")]


def test_two_schedulers_never_both_evaluate(tmp_path: Path, rules: Path) -> None:
    """The second stands by, and takes over when the first is gone."""
    AgentLake(tmp_path).seal()
    other = tmp_path / "other.yaml"
    other.write_text(FIRES.replace("Always", "Other"))
    with scheduler(tmp_path, rules) as first:
        until(lambda: evaluated(tmp_path) == ["Always"], "the first evaluates")
        with scheduler(tmp_path, other):
            time.sleep(1.5)
            assert evaluated(tmp_path) == ["Always"], "the second does not"
            first.set()
            until(lambda: evaluated(tmp_path) == ["Always", "Other"], "the second takes over")


def test_the_lease_of_a_killed_scheduler_is_free(tmp_path: Path, rules: Path) -> None:
    AgentLake(tmp_path).seal()
    program = (
        "import sys, threading; from pathlib import Path; from alerts.scheduler import run_scheduler\n"
        "data = Path(sys.argv[1])\n"
        "run_scheduler(data=data, rules=[data / 'rules.yaml'], interval_seconds=1, receivers=[], stop=threading.Event(), node='n',\n"
        "              clean=lambda items: [text for text, _ in items], policy_hash='p', external_url='http://x')\n"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2])
    try:
        until(lambda: evaluated(tmp_path) == ["Always"], "it evaluates")
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(10)
    other = tmp_path / "other.yaml"
    other.write_text(FIRES.replace("Always", "Other"))
    with scheduler(tmp_path, other):
        until(lambda: "Other" in evaluated(tmp_path), "the next one evaluates")


def test_rules_are_read_again_on_request_and_bad_ones_refused(tmp_path: Path, rules: Path) -> None:
    AgentLake(tmp_path).seal()
    reload = threading.Event()
    with scheduler(tmp_path, rules, reload=reload):
        until(lambda: evaluated(tmp_path) == ["Always"], "it evaluates")
        rules.write_text("groups: [{nam: g}]")
        reload.set()
        until(lambda: len(reloads(tmp_path)) == 1, "it looks")
        rules.write_text(FIRES.replace("Always", "Changed"))
        reload.set()
        until(lambda: "Changed" in evaluated(tmp_path), "the new rule")
    refused, taken = reloads(tmp_path)
    assert (refused["outcome"], taken["outcome"]) == ("refused", "ok")
    assert refused["config.hash.old"] == taken["config.hash.old"] != taken["config.hash.new"]


def test_bad_rules_are_refused_at_the_start(tmp_path: Path, rules: Path) -> None:
    rules.write_text("groups: [{nam: g}]")
    settings: dict[str, Any] = {"receivers": [], "stop": threading.Event(), "node": "n", "clean": as_it_is, "policy_hash": "p"}
    with pytest.raises(RuleFileError):
        run_scheduler(data=tmp_path, rules=[rules], interval_seconds=1, external_url="http://auditlake.test", **settings)


@pytest.mark.parametrize("names", [["log"], ["lake"], ["a", "b", "a"]])
def test_two_receivers_of_one_name_are_refused(tmp_path: Path, rules: Path, names: list[str]) -> None:
    receivers = [WebhookReceiver(name=name, url="http://127.0.0.1:1/") for name in names]
    settings: dict[str, Any] = {"stop": threading.Event(), "node": "n", "clean": as_it_is, "policy_hash": "p"}
    with pytest.raises(AlertsError, match="rename one"):
        run_scheduler(data=tmp_path, rules=[rules], interval_seconds=1, receivers=receivers, external_url="http://x", **settings)


def acknowledged(data: Path, origin: str, received_ns: int, *, closed: bool) -> WalWriter:
    writer = WalWriter(data, origin)
    header = BatchHeader(signal="logs", tenant=None, received_ns=received_ns, policy_hash="p", records=1)
    writer.append([(RecordType.BATCH, header.to_bytes(), b"")])
    if closed:
        writer.rotate()
    return writer


def test_the_watermark_is_the_first_record_that_is_not_sealed(tmp_path: Path) -> None:
    assert ingest_watermark(tmp_path) is None
    early, late = NOW - timedelta(seconds=20), NOW - timedelta(seconds=5)
    writers = [acknowledged(tmp_path, "a/collector", unix_ns(late), closed=False)]
    assert ingest_watermark(tmp_path) == late
    writers.append(acknowledged(tmp_path, "b/collector", unix_ns(early), closed=True))
    writers.append(acknowledged(tmp_path, "b/alerts", unix_ns(NOW - timedelta(hours=1)), closed=True))
    assert ingest_watermark(tmp_path) == early, "of all collectors, not of what auditlake says about itself"
    writers[1].append([(RecordType.BATCH, b"{}", b"")])
    assert ingest_watermark(tmp_path) == early, "the oldest segment counts"
    for segment in closed_segments(tmp_path):
        segment.path.unlink()
    assert ingest_watermark(tmp_path) == late, "sealed segments are gone; a header that cannot be read is passed over"
    for writer in writers:
        writer.close()


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (None, timedelta(seconds=3)),
        (timedelta(seconds=1), timedelta(seconds=3)),
        (timedelta(seconds=30), timedelta(seconds=30)),
        (timedelta(hours=5), MAX_LAG + timedelta(seconds=3)),
    ],
)
def test_rules_see_the_lake_behind_offset_and_watermark(behind: timedelta | None, expected: timedelta) -> None:
    watermark = None if behind is None else NOW - behind
    assert evaluation_time(NOW, timedelta(seconds=3), watermark) == NOW - expected
