"""Several workers on the same ports: all take requests, one that is killed loses nothing, health and numbers are those of all."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pyarrow.parquet as pq
import pytest

from collector.service import close_left_over
from collector.signals import TRACES
from storage.catalog import Catalog
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.faults.test_kill import Load, stored
from tests.lake_checks import check_lake
from tests.polling import wait_for_end, wait_until

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the kernel must spread connections over processes")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """Two workers; the tests below use them one after the other, the last one stops them."""
    with CollectorProcess(tmp_path_factory.mktemp("workers"), workers=2) as running:
        wait_until(running.ready, seconds=90)
        yield running


def url(collector: CollectorProcess, path: str) -> str:
    return f"http://127.0.0.1:{collector.ports['health']}{path}"


def workers(collector: CollectorProcess) -> list[dict[str, Any]]:
    return list(collector.health().json()["workers"])


def names_by_origin(data: Path) -> Counter[str]:
    with closing(Catalog.open(data, read_only=True)) as catalog:
        entries = catalog.entries()
    return Counter({origin: sum(each.stored for each in entries if each.origin == origin) for origin in {each.origin for each in entries}})


def span_rows(data: Path, *columns: str) -> list[dict[str, Any]]:
    """Columns of all live spans."""
    with closing(Catalog.open(data, read_only=True)) as catalog:
        files = catalog.live_files("spans")
    return [row for file in files for row in pq.read_table(data / file.path, columns=list(columns), partitioning=None).to_pylist()]


def policies_of(data: Path, prefix: str) -> set[str]:
    """The policies under which the spans of such names were redacted."""
    return {row["policy_hash"] for row in span_rows(data, "name", "policy_hash") if row["name"].startswith(prefix)}


def test_every_worker_gets_connections_over_both_protocols(collector: CollectorProcess) -> None:
    """The kernel chooses by the connection's addresses: of 40 connections, no worker of two gets none (but once in 10¹²)."""

    def send(number: int) -> None:
        if number % 2:
            assert collector.post("traces", trace_of([f"spread-{number}"])).status_code == 200
            return
        with grpc.insecure_channel(f"127.0.0.1:{collector.ports['grpc']}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            channel.unary_unary(f"/{TRACES.grpc_service}/Export")(trace_of([f"spread-{number}"]), timeout=20)

    with ThreadPoolExecutor(8) as senders:
        list(senders.map(send, range(80)))
    wait_until(lambda: sum(name.startswith("spread-") for name in stored(collector.data)) == 80)
    by_origin = names_by_origin(collector.data)
    assert by_origin["n1/collector-1"] > 0
    assert by_origin["n1/collector-2"] > 0


def test_health_and_metrics_are_those_of_all_workers(collector: CollectorProcess) -> None:
    assert [each["state"] for each in workers(collector)] == ["ok", "ok"]
    assert all(each["memory_mib"] > 10 for each in workers(collector))
    assert collector.health().json()["components"]["wal"] == {"state": "ok"}

    def requests() -> float:
        lines = httpx.get(url(collector, "/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("auditlake_requests_total"))

    wait_until(lambda: requests() == 80)  # workers tell what they have every second
    assert collector.post("traces", trace_of(["counted"])).status_code == 200
    wait_until(lambda: requests() == 81)


def test_a_reload_reaches_every_worker_and_a_bad_file_none(collector: CollectorProcess) -> None:
    good = collector.config.read_text()
    states = lambda: [each["components"]["reload"] for each in workers(collector)]  # noqa: E731
    collector.config.write_text(good.replace("redaction: {}", "redaction: {actoin: mask}"))
    collector.process.send_signal(signal.SIGHUP)
    wait_until(lambda: all(state.startswith("failed: 1 problem") for state in states()))
    assert collector.health().json()["components"]["reload"]["state"].startswith("failed: worker 1: 1 problem")
    assert collector.health().status_code == 200
    collector.config.write_text(good.replace("redaction: {}", "redaction: {summary: info}"))
    collector.process.send_signal(signal.SIGHUP)
    wait_until(lambda: states() == ["ok", "ok"], 90)
    for number in range(20):  # over so many connections that each worker has some
        assert collector.post("traces", trace_of([f"spread-new-{number}"])).status_code == 200
    wait_until(lambda: sum(name.startswith("spread-new-") for name in stored(collector.data)) == 20)
    assert len(policies_of(collector.data, "spread-new-")) == 1
    assert policies_of(collector.data, "spread-new-").isdisjoint(policies_of(collector.data, "counted"))


def test_a_killed_worker_is_restarted_and_everything_acknowledged_is_stored_once(collector: CollectorProcess) -> None:
    load = Load()
    load.point_at(collector)
    load.start()
    try:
        wait_until(lambda: len(load.acknowledged) > 1000)
        first, second = (each["pid"] for each in workers(collector))
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: workers(collector)[0]["state"].startswith("down: "))
        assert collector.ready(), "the other one takes what comes"
        assert collector.health().status_code == 503
        during = len(load.acknowledged)
        wait_until(lambda: len(load.acknowledged) > during + 500)
        wait_until(lambda: workers(collector)[0]["ready"], 60)
    finally:
        load.stop()
    assert workers(collector)[0]["pid"] != first
    assert workers(collector)[1]["pid"] == second, "the other one went on"
    assert collector.ready()
    assert collector.terminate() == 0
    settle(collector.data)
    names = Counter(row["name"] for row in span_rows(collector.data, "name", "resent") if not row["resent"])
    assert {name for name in names if not name.startswith(("spread-", "counted"))} == load.acknowledged == load.sent
    assert set(names.values()) == {1}, "what was sent again, and came to the other worker, is marked"
    check_lake(collector.data, settled=False)  # the compactor may have been ended in its work


def test_workers_die_with_a_killed_parent_and_whoever_comes_next_seals_what_they_left(tmp_path: Path) -> None:
    """However many workers there are then."""
    names = [f"left-{number}" for number in range(8)]
    with CollectorProcess(tmp_path, workers=2, interval="60s", redacted=False) as collector:
        for name in names:
            assert collector.post("traces", trace_of([name])).status_code == 200
        children = psutil.Process(collector.process.pid).children(recursive=True)
        collector.kill()
        wait_for_end(children)
    with closing(Catalog.open(tmp_path / "data")) as catalog:  # as every start does
        assert set(close_left_over(tmp_path / "data", catalog)) <= {"n1/collector-1", "n1/collector-2"}
    settle(tmp_path / "data")
    assert stored(tmp_path / "data") == Counter(names)
    check_lake(tmp_path / "data", settled=False)
