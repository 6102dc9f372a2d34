"""/metrics: both formats by the letter of their grammars, several processes as one, and nothing that grows without bound."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import orjson
import pytest

from collector.health import Check, HealthApp
from collector.instruments import INSTRUMENTS, Instrument, Kind, Merge, Reading
from collector.prometheus import OPEN_METRICS, TEXT, content_type, exposition, prometheus_name
from collector.telemetry import Acknowledged, Telemetry
from tests.collector.exposition import Family, parse

ODD = Instrument(name="auditlake.odd", kind=Kind.GAUGE, unit="{thing}", text='a "quoted" back\\slash\nand line', labels=("a.b",))
FREE = Instrument(name="auditlake.free", kind=Kind.GAUGE, unit="By", text="free", merge=Merge.MIN)
LAG = Instrument(name="auditlake.late", kind=Kind.GAUGE, unit="s", text="late", merge=Merge.MAX)
SENT = Instrument(name="auditlake.sent", kind=Kind.COUNTER, unit="1", text="sent")
NO_CHECKS: Mapping[str, Check] = {}


def process(*seconds: float, free: int = 7, late: float = 0.5) -> Telemetry:
    """The telemetry of a process that took so many requests."""
    telemetry = Telemetry("node", 0)
    telemetry.watch(lambda: [Reading(ODD, 1, (("a.b", 'x"\\\ny'),)), Reading(FREE, free), Reading(LAG, late), Reading(SENT, 3)])
    for each in seconds:
        telemetry.acknowledged(
            Acknowledged(
                signal="traces", audit=False, records=2, rejected={"no id": 1}, size_bytes=9, redaction_seconds=0.001, seconds=each
            )
        )
        telemetry.committed(each / 2)
    telemetry.refused("overloaded")
    return telemetry


def shown(*processes: Telemetry, open_metrics: bool = False) -> dict[str, Family]:
    snapshots = [orjson.loads(orjson.dumps(telemetry.snapshot())) for telemetry in processes]
    return parse(exposition(snapshots, open_metrics=open_metrics).decode(), open_metrics=open_metrics)


@pytest.mark.parametrize("open_metrics", [False, True])
def test_the_text_is_of_its_grammar(open_metrics: bool) -> None:
    """Names, escapes, types, units, cumulative buckets: the reader refuses what the format forbids."""
    families = shown(process(0.001, 0.004, 9.0), open_metrics=open_metrics)
    total = "" if open_metrics else "_total"
    assert families[f"auditlake_requests{total}"].samples == {("auditlake_requests_total", (("signal", "traces"),)): 3}
    assert families[f"auditlake_records_rejected{total}"].samples == {
        ("auditlake_records_rejected_total", (("signal", "traces"), ("reason", "no id"))): 3
    }
    assert families["auditlake_odd"].samples == {("auditlake_odd", (("a_b", 'x"\\\ny'),)): 1}
    ack = families["auditlake_ack_duration_seconds"]
    assert (ack.kind, ack.unit) == ("histogram", "seconds" if open_metrics else "")
    assert ack.samples["auditlake_ack_duration_seconds_count", (("class", "bulk"),)] == 3
    assert ack.samples["auditlake_ack_duration_seconds_bucket", (("class", "bulk"), ("le", "0.005"))] == 2
    assert ack.samples["auditlake_ack_duration_seconds_sum", (("class", "bulk"),)] == pytest.approx(9.005)
    assert all(family.help for family in families.values())


def test_several_processes_are_one_target() -> None:
    """Sums, except where only the largest or smallest means anything."""
    families = shown(process(0.001, 0.004, free=7, late=0.5), process(0.1, free=5, late=2.5))
    values = {name: number for family in families.values() for (name, _), number in family.samples.items()}
    assert values["auditlake_requests_total"] == 3
    assert values["auditlake_sent_total"] == 6
    assert values["auditlake_ack_duration_seconds_count"] == 3
    assert values["auditlake_wal_commit_duration_seconds_sum"] == pytest.approx(0.0525)
    assert (values["auditlake_free_bytes"], values["auditlake_late_seconds"], values["auditlake_odd"]) == (5, 2.5, 2)


def test_a_process_that_counted_nothing_yet_adds_nothing() -> None:
    """What has no labels, or always the same, begins with zero; else labels are those that somebody counted."""
    assert shown(process(0.001), Telemetry("other", 0)) == shown(process(0.001))
    assert shown() == {}
    families = shown(Telemetry("node", 0), open_metrics=True)
    assert {number for family in families.values() for number in family.samples.values()} == {0}
    assert {"auditlake_records_deduplicated", "auditlake_ack_duration_seconds"} <= set(families)


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("auditlake.ack.duration", "s", "auditlake_ack_duration_seconds"),
        ("auditlake.bytes", "By", "auditlake_bytes"),
        ("auditlake.requests", "1", "auditlake_requests"),
        ("auditlake.connections", "{connection}", "auditlake_connections"),
        ("a.b-c..d", "ms", "a_b_c_d_milliseconds"),
    ],
)
def test_names_follow_opentelemetrys_rules(name: str, unit: str, expected: str) -> None:
    assert prometheus_name(name, unit) == expected


def test_no_two_metrics_have_the_same_name() -> None:
    names = [prometheus_name(instrument.name, instrument.unit) for instrument in INSTRUMENTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN_METRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", OPEN_METRICS),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=x, text/plain;q=0.1", TEXT),
    ],
)
def test_the_format_is_what_was_asked_for(accept: str, expected: str) -> None:
    assert content_type(accept) == expected


def answered(
    path: str, accept: str, *, telemetry: Telemetry | None, method: str = "GET", checks: Mapping[str, Check] = NO_CHECKS
) -> tuple[int, dict[bytes, bytes], bytes]:
    """What the health endpoint answers."""
    said: list[MutableMapping[str, Any]] = []

    async def snapshots() -> Sequence[dict[str, Any]]:
        assert telemetry is not None
        return [telemetry.snapshot()]

    async def receive() -> None:
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    app = HealthApp(checks, ready=lambda: True, snapshots=None if telemetry is None else snapshots)
    asyncio.run(app({"type": "http", "method": method, "path": path, "headers": [(b"accept", accept.encode())]}, receive, send))
    return said[0]["status"], dict(said[0]["headers"]), said[1]["body"]


@pytest.mark.parametrize(("accept", "open_metrics"), [("text/plain", False), ("application/openmetrics-text", True)])
def test_the_health_endpoint_serves_them(accept: str, open_metrics: bool) -> None:
    status, headers, body = answered("/metrics", accept, telemetry=process(0.001))
    assert (status, headers[b"content-type"].decode()) == (200, OPEN_METRICS if open_metrics else TEXT)
    assert parse(body.decode(), open_metrics=open_metrics)


def test_only_reading_is_allowed() -> None:
    assert answered("/metrics", "", telemetry=process(0.001), method="POST")[0] == 405


@pytest.mark.parametrize(("component", "live"), [("wal", 503), ("workers", 503), ("disk", 200), ("sealer", 200), ("catalog", 200)])
def test_a_restart_is_asked_for_where_it_helps_and_nowhere_else(component: str, live: int) -> None:
    """A disk that becomes full or sealing that is late would keep out requests that are taken meanwhile."""
    checks = {"receiver": lambda: "ok", component: lambda: "down: why"}
    assert answered("/live", "", telemetry=None, checks=checks)[0] == live
    assert answered("/live", "", telemetry=None, checks={component: lambda: "ok"})[0] == 200
    assert answered("/", "", telemetry=None, checks=checks)[0] == 503


def test_without_numbers_there_is_no_such_path() -> None:
    assert answered("/metrics", "", telemetry=None)[0] == 404
