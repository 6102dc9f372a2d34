"""What the collector says about itself is in the lake, and in nobody's runs, objectives or counts; nobody else can say it."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.own_events import SenderEvents, payload
from collector.receivers.encoding import Encoding
from collector.request import read_request
from collector.resends import Resends
from collector.reserved import SENT_AS
from collector.sealer import seal_pending
from collector.sender import ANONYMOUS
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Signal
from collector.telemetry import Acknowledged, Telemetry
from storage.catalog import Catalog
from storage.lake import Lake
from storage.wal import BatchHeader, RecordType, WalWriter
from tests.sealed_lake import RECEIVED_NS, open_lake

QUIET = ("runs", "model_calls", "tool_calls", "tasks", "queues", "heartbeats", "approvals", "agent_metrics")


def own() -> list[tuple[Signal, bytes, int]]:
    """A report of every kind, as `collector.reporter` writes them."""
    telemetry = Telemetry("node", RECEIVED_NS - 10**10)
    for seconds in (0.001, 0.004, 0.1):
        telemetry.acknowledged(
            Acknowledged(signal="logs", audit=True, records=1, rejected={}, size_bytes=9, redaction_seconds=0.001, seconds=seconds)
        )
    metrics = telemetry.take(RECEIVED_NS)
    assert metrics is not None
    refusals = SenderEvents()
    refusals.add("unauthenticated", "192.0.2.7")
    return [(METRICS, *metrics), (LOGS, payload("node", refusals.take(), RECEIVED_NS), 1)]


def received(signal: Signal, body: bytes) -> bytes:
    """A request as it is when it was admitted."""
    return bytes(
        asyncio.run(read_request(signal, Encoding.PROTOBUF, body, ANONYMOUS, RECEIVED_NS, Resends(b"k" * 32))).message.SerializeToString()
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Our own reports, and the same once more as somebody sent them."""
    data: Path = tmp_path_factory.mktemp("own") / "data"
    data.mkdir()
    with closing(Catalog.open(data)) as catalog, closing(WalWriter(data, "node/collector")) as writer:
        for mine in (True, False):
            for signal, message, records in own():
                header = BatchHeader(
                    signal=signal.name, tenant=None, received_ns=RECEIVED_NS, policy_hash="p", records=records, own=mine,
                    digest=secrets.token_hex(16),
                )  # fmt: skip
                writer.append([(RecordType.BATCH, header.to_bytes(), message if mine else received(signal, message))])
            writer.rotate()
        seal_pending(data, catalog)
    with open_lake(data) as opened:
        yield opened


def rows(lake: Lake, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lake.sql(sql).to_pylist()
    return found


@pytest.mark.parametrize("view", QUIET)
def test_our_own_records_are_in_no_view_of_what_agents_did(lake: Lake, view: str) -> None:
    assert rows(lake, f"SELECT * FROM {view}") == []


def test_what_was_sent_in_our_name_is_a_step_of_somebody_else(lake: Lake) -> None:
    assert [row["name"] for row in rows(lake, "SELECT name FROM steps")] == ["security"]


def test_our_own_records_are_not_counted_as_received(lake: Lake) -> None:
    first, second = rows(lake, "SELECT received, stored, own FROM ingest_log ORDER BY entry")
    assert (first["received"], first["stored"]) == (0, 0)
    assert first["own"] > 5
    assert (second["received"], second["own"]) == (first["own"], 0)


def test_nobody_else_can_report_in_our_name(lake: Lake) -> None:
    """Audit latencies and security events are as we measured them."""
    ((audit),) = rows(lake, "SELECT class, writes, within_5ms FROM audit_writes")
    assert audit == {"class": "audit", "writes": 3, "within_5ms": 2}
    assert [row["agent_name"] for row in rows(lake, "SELECT * FROM security_events WHERE sender IS NOT NULL")] == ["auditlake", "auditlake"]
    scopes = {row["scope_name"] for row in rows(lake, "SELECT scope_name FROM metrics UNION SELECT scope_name FROM events")}
    assert scopes == {"auditlake.collector", f"{SENT_AS}auditlake.collector"}


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize(("scope", "kept"), [("auditlake.alerts", "sent-as:auditlake.alerts"), ("auditlake", "auditlake"), ("x", "x")])
def test_scopes_of_ours_are_renamed_in_every_signal(signal: Signal, scope: str, kept: str) -> None:
    """The SDK's, which is called auditlake, is not one of them."""
    message = signal.request()
    kind = {"traces": "spans", "logs": "logs", "metrics": "metrics"}[signal.name]
    group = getattr(getattr(message, f"resource_{kind}").add(), f"scope_{kind}").add()
    group.scope.name = scope
    again = signal.request.FromString(received(signal, message.SerializeToString()))
    assert getattr(getattr(again, f"resource_{kind}")[0], f"scope_{kind}")[0].scope.name == kept


def test_hiding_a_span_from_its_run_does_not_work() -> None:
    """A scope of ours would keep it out of every step."""
    message = TRACES.request()
    scope = message.resource_spans.add().scope_spans.add()
    scope.scope.name = "auditlake.hidden"
    scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="evil")
    again = TRACES.request.FromString(received(TRACES, message.SerializeToString()))
    assert not again.resource_spans[0].scope_spans[0].scope.name.startswith("auditlake.")
