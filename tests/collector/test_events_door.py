"""Plain JSON events over real sockets: admitted, limited and refused like OTLP, and as durable."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.signals import LOGS
from storage.lake import Lake
from tests.collector.served import Served
from tests.collector.test_doorkeepers import ACME, FREE, GUARDED, LIMITS, UMBRELLA, bearer
from tests.collector_process import CollectorProcess, settle
from tests.lake_checks import check_lake

JSON = {"content-type": "application/json"}


@pytest.fixture
def served() -> Iterator[Served]:
    """Receivers that ask for a token, with limits that are unspent."""
    running = Served(GUARDED.replace("processors:", LIMITS, 1))
    yield running
    running.close()


def report(served: Served, token: str, *, body: bytes = b"", **event: object) -> httpx.Response:
    return served.post("/v1/events", body or json.dumps({"event": "agent_action", **event}).encode(), JSON | bearer(token))


def refused(answer: httpx.Response, status: int, code: int) -> None:
    """A `google.rpc.Status` in JSON, as for OTLP in JSON."""
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (status, "application/json", code)


def test_the_tenant_of_the_token_overrules_the_events(served: Served) -> None:
    assert report(served, ACME, tenant="umbrella").json() == {}
    assert report(served, FREE, tenant="umbrella").json() == {}
    assert [header.tenant for header, _ in served.batches] == ["acme", None]


def test_events_count_against_the_limits_of_the_tenant_like_spans(served: Served) -> None:
    for number in range(2):
        assert report(served, UMBRELLA, number=number).status_code == 200
    answer = report(served, UMBRELLA, number=2)
    refused(answer, 429, 8)
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    refused(served.post("/v1/logs", b"{}", JSON | bearer(UMBRELLA)), 429, 8)
    refused(report(served, ACME, note="x" * 5000), 413, 8)
    assert report(served, FREE, note="x" * 5000).status_code == 200
    assert len(served.batches) == 3


def test_events_may_be_compressed_and_are_redacted(served: Served) -> None:
    body = gzip.compress(b'{"event": "agent_action", "resource": "my canary", "canary key": {"deep": ["canary"]}}')
    answer = served.post("/v1/events", body, JSON | bearer(FREE) | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()) == (200, {})
    ((_, payload),) = served.batches
    assert b"canary" not in payload
    assert LOGS.request.FromString(payload).resource_logs[0].scope_logs[0].log_records[0].event_name == "agent_action"


def test_an_event_that_could_not_be_stored_is_to_be_sent_again(served: Served) -> None:
    served.writer.fails = True
    for number in range(2):
        answer = report(served, FREE, number=number)
        refused(answer, 503, 14)
        assert answer.headers["retry-after"] == "5"
    assert served.batches == []


def test_an_acknowledged_event_survives_kill_9_and_its_resend_is_one(tmp_path: Path) -> None:
    body = b'{"event": "heartbeat", "agent": "nightly-report", "status": "idle", "id": "hb-1"}'
    with CollectorProcess(tmp_path, interval="60s", redacted=False) as collector:
        for again in (False, True):
            answer = httpx.post(f"http://127.0.0.1:{collector.ports['http']}/v1/events", content=body, headers=JSON, timeout=60)
            assert (answer.status_code, answer.json()) == (200, {})
            collector.kill()
            if not again:
                collector.start()
    with CollectorProcess(tmp_path, redacted=False) as collector:
        assert collector.terminate() == 0
    settle(tmp_path / "data")
    check_lake(tmp_path / "data")
    with Lake.open(tmp_path / "data") as lake:
        assert lake.sql("SELECT agent_name, status FROM heartbeats").to_pylist() == [{"agent_name": "nightly-report", "status": "idle"}]
