"""A real collector that takes, refuses, rejects, withholds and forwards: each of its numbers is at `/metrics`, and then in the lake."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from collector.instruments import ACK_DURATION, INSTRUMENTS, Kind
from collector.prometheus import prometheus_name
from collector.signals import LOGS, TRACES
from storage.lake import Lake
from tests.collector.exposition import Family, parse
from tests.collector.forwarding.backends import HttpAnswer, HttpBackend
from tests.collector_process import CollectorProcess, settle, trace_of
from tests.polling import wait_until
from tests.tokens import made_token

AGENT, FLOODING, UNKNOWN = map(made_token, ("agent", "flooding", "unknown"))
EXTENSIONS = f"""
extensions:
  bearertokenauth:
    tokens: [{{name: agent, tenant: acme, token: "{AGENT}"}}, {{name: flooding, tenant: umbrella, token: "{FLOODING}"}}]"""
LIMITS = """
    limits: {tenants: {umbrella: {requests_per_second: 0.01, requests_burst: 1}}}
processors:"""
BACKEND = """
exporters:
  otlp_http/backend: {{endpoint: "{url}", retry_on_failure: {{initial_interval: 20ms, max_interval: 50ms}}}}"""
SECONDS = 90
KNOWN = 130
"""Requests with a text that is known by then: look-ups are counted for one of 64."""


def configured(text: str, backend: HttpBackend) -> str:
    """Tokens, a tenant who may send once, a scanner with hardly any time, and a backend."""
    text = text.replace('http: {endpoint: "127.0.0.1:0"', 'http: {endpoint: "127.0.0.1:0", auth: {authenticator: bearertokenauth}')
    text = text.replace("\nprocessors:", LIMITS, 1).replace("redaction: {}", "redaction: {presidio: {timeout_ms: 10}}")
    text = text.replace("\nexporters:", BACKEND.format(url=backend.url), 1).replace(
        "exporters: [parquet]", "exporters: [parquet, otlp_http/backend]"
    )
    return text.replace("\nextensions:", EXTENSIONS, 1).replace("[health_check]", "[health_check, bearertokenauth]")


def send(collector: CollectorProcess, body: bytes, token: str = AGENT, signal: str = "traces") -> int:
    headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {token}"}
    return httpx.post(f"http://127.0.0.1:{collector.ports['http']}/v1/{signal}", content=body, headers=headers, timeout=60).status_code


def families(collector: CollectorProcess) -> dict[str, Family]:
    answer = httpx.get(f"http://127.0.0.1:{collector.ports['health']}/metrics", timeout=60)
    return parse(answer.text, open_metrics=False)


def names() -> dict[str, str]:
    """Every metric by what Prometheus calls it."""
    return {prometheus_name(one.name, one.unit) + ("_total" if one.kind is Kind.COUNTER else ""): one.name for one in INSTRUMENTS}


def an_audit_event() -> bytes:
    message = LOGS.request()
    message.resource_logs.add().scope_logs.add().log_records.add(event_name="approval", time_unix_nano=10**18)
    return bytes(message.SerializeToString())


def a_slow_text() -> bytes:
    """One that the scanner cannot judge in its time."""
    message = TRACES.request.FromString(trace_of(["slow"]))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    told = " ".join(f"call 212 555 {number:04} or mail p{number}@example.org" for number in range(5000))
    span.attributes.add(key="note").value.string_value = told
    return bytes(message.SerializeToString())


class Found:
    """What a collector said while it ran, and its lake afterwards."""

    def __init__(self, shown: dict[str, Family], lake: Lake) -> None:
        self.shown = shown
        self._lake = lake

    def rows(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._lake.sql(sql).to_pylist()
        return rows


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """Traffic of every kind; the backend refuses at first."""
    folder, backend = tmp_path_factory.mktemp("numbers"), HttpBackend()
    backend.answer = lambda _: HttpAnswer(503 if len(backend.asked) < 3 else 200)
    collector = CollectorProcess(folder)
    collector.config.write_text(configured(collector.config.read_text(), backend))
    with collector:
        wait_until(collector.ready, seconds=SECONDS)
        once = trace_of(["once"])
        without_ids = TRACES.request()
        without_ids.resource_spans.add().scope_spans.add().spans.add(name="without ids")
        answers = [send(collector, body) for body in (once, once, without_ids.SerializeToString(), a_slow_text(), b"\x0a\x05")]
        answers.append(send(collector, an_audit_event(), signal="logs"))
        assert answers == [200, 200, 200, 200, 400, 200]
        assert [send(collector, trace_of(["unknown"]), token=UNKNOWN) for _ in range(3)] == [401] * 3
        assert [send(collector, trace_of(["flood"]), token=FLOODING) for _ in range(4)] == [200, 429, 429, 429]
        wait_until(lambda: names().keys() <= families(collector).keys(), seconds=SECONDS)
        wait_until(lambda: backend.taken, seconds=SECONDS)
        assert {send(collector, trace_of(["known"])) for _ in range(KNOWN)} == {200}
        shown = families(collector)
        assert collector.terminate() == 0
    backend.close()
    settle(collector.data)
    with Lake.open(collector.data) as lake:
        yield Found(shown, lake)


def of(found: Found, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a family by the values of their labels."""
    return {tuple(value for _, value in labels): number for (_, labels), number in found.shown[name].samples.items()}


def test_every_number_is_at_metrics_and_in_the_lake(found: Found) -> None:
    rows = found.rows("SELECT DISTINCT metric_name FROM metrics WHERE scope_name = 'auditlake.collector'")
    assert {row["metric_name"] for row in rows} == set(names().values())
    assert names().keys() <= found.shown.keys()


def test_what_was_refused_and_rejected_is_counted_by_its_reason(found: Found) -> None:
    refused = {("malformed",): 1, ("unauthenticated",): 3, ("rate_limited",): 3}
    assert of(found, "auditlake_requests_refused_total") == refused
    counted = "metrics WHERE metric_name = 'auditlake.requests.refused'"
    sql = f"SELECT attributes['reason'] AS reason, sum(value)::INT AS n FROM {counted} GROUP BY 1"
    assert {(row["reason"],): row["n"] for row in found.rows(sql)} == refused
    assert of(found, "auditlake_records_rejected_total") == {("traces", "trace_id must be 16 bytes and not zero"): 1}
    assert of(found, "auditlake_records_deduplicated_total") == {(): 1}
    assert of(found, "auditlake_redaction_withheld_total").keys() == {("timeout",)}
    (sums,) = found.rows(
        "SELECT sum(received)::INT AS received, sum(rejected)::INT AS rejected, sum(deduplicated)::INT AS again FROM ingest_log"
    )
    assert sums == {"received": 6 + KNOWN, "rejected": 1, "again": 1}


def test_failures_to_authenticate_and_floods_are_security_events(found: Found) -> None:
    """With how many there were, and who it was: by the name of the token, or the address where nobody is known."""
    rows = found.rows("SELECT category, reason_code, sender, sum(attempts)::INT AS n FROM security_events GROUP BY ALL ORDER BY category")
    assert [tuple(row.values()) for row in rows] == [
        ("authentication", "unauthenticated", "127.0.0.1", 3),
        ("flood", "rate_limited", "flooding", 3),
    ]


def test_acknowledgements_are_a_histogram_of_audit_writes_and_of_bulk_apart(found: Found) -> None:
    written = {row["class"]: row["n"] for row in found.rows("SELECT class, sum(writes)::INT AS n FROM audit_writes GROUP BY 1")}
    assert written == {"audit": 1, "bulk": 5 + KNOWN}
    name = prometheus_name(ACK_DURATION.name, ACK_DURATION.unit)
    counts = {labels[0][1]: number for (sample, labels), number in found.shown[name].samples.items() if sample.endswith("_count")}
    assert counts == written
