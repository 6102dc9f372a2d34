"""Two collectors: what one stores, the other gets, redacted, once, in order, though it comes late and the forwarder is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psutil
import pytest

from collector.forwarding.queue import LOCK, exporter_folder
from collector.signals import LOGS
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.polling import wait_until
from tests.ports import free_ports

FORWARDING = """
  otlp_grpc/peer:
    endpoint: 127.0.0.1:{grpc}
    tls: {{insecure: true}}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms}}
  otlp_http/peer:
    endpoint: http://127.0.0.1:{http}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms}}
"""
PERSON = "someone@example.com"
EXPORTERS = ("otlp_grpc/peer", "otlp_http/peer")


@pytest.fixture
def ports() -> dict[str, int]:
    """Ports at which nobody listens yet."""
    return dict(zip(("grpc", "http"), free_ports(2), strict=True))


@pytest.fixture
def sending(tmp_path: Path, ports: dict[str, int]) -> Iterator[CollectorProcess]:
    """A collector that forwards spans over gRPC and log records over HTTP."""
    collector = CollectorProcess(tmp_path, data=tmp_path / "sending", node="sending")
    text = collector.config.read_text()
    text = text.replace("exporters:\n", "exporters:" + FORWARDING.format(**ports), 1)
    for name, exporter in (("traces", "otlp_grpc/peer"), ("logs", "otlp_http/peer")):
        before, line, after = text.partition(f"    {name}: ")
        text = before + line + after.replace("[parquet]", f"[parquet, {exporter}]", 1)
    collector.config.write_text(text)
    with collector:
        yield collector


def send(collector: CollectorProcess, numbers: range) -> None:
    for number in numbers:
        assert collector.post("traces", trace_of([f"span {number} of {PERSON}"])).status_code == 200
        message = LOGS.request()
        record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=10**18 + number)
        record.body.string_value = f"record {number} of {PERSON}"
        assert collector.post("logs", message.SerializeToString()).status_code == 200


def components(collector: CollectorProcess) -> dict[str, str]:
    answer: httpx.Response = collector.health()
    assert answer.status_code == 200
    return {name: component["state"] for name, component in answer.json()["components"].items()}


def kill_forwarder(collector: CollectorProcess) -> None:
    """kill -9 the forwarder, and wait until another one has taken its place."""
    locks = [exporter_folder(collector.data, exporter) / LOCK for exporter in EXPORTERS]
    wait_until(lambda: all(lock.exists() and lock.read_text().strip() for lock in locks))
    (pid,) = {int(lock.read_text()) for lock in locks}
    assert psutil.Process(pid).ppid() == collector.process.pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(lock.read_text().strip() not in {"", str(pid)} for lock in locks))


def queued(collector: CollectorProcess) -> list[Path]:
    return list((collector.data / "forward").glob("*/queue/*.wal"))


def rows(data: Path, table: str, column: str) -> list[Any]:
    files = str(data / "data" / table / "**/*.parquet")
    theirs = "scope_name IS NULL OR scope_name NOT LIKE 'auditlake.%'"
    found = duckdb.sql(f"SELECT {column} FROM read_parquet('{files}') WHERE {theirs} ORDER BY origin, entry, entry_row").fetchall()
    return [value for (value,) in found]


def test_a_late_backend_gets_everything_once_in_order_and_redacted(
    sending: CollectorProcess, ports: dict[str, int], tmp_path: Path
) -> None:
    send(sending, range(6))
    wait_until(lambda: all(components(sending)[f"forward/{exporter}"].startswith("degraded") for exporter in EXPORTERS))
    with CollectorProcess(tmp_path, data=tmp_path / "receiving", node="receiving", **ports) as receiving:
        kill_forwarder(sending)
        send(sending, range(6, 12))
        sealed = sending.data / "wal"
        wait_until(lambda: not any(sealed.rglob("*.wal")) and not queued(sending))
        assert (sending.terminate(), receiving.terminate()) == (0, 0)
        settle(receiving.data)
    for table, column in (("spans", "name"), ("events", "body")):
        arrived = rows(receiving.data, table, column)
        assert len(arrived) == len(set(arrived)) == 12
        assert arrived == rows(sending.data, table, column)
        assert "<EMAIL_ADDRESS>" in arrived[0]
    held = [path for path in tmp_path.rglob("*") if path.is_file() and PERSON.encode() in path.read_bytes()]
    assert held == []
