"""docs/telemetry.md lists every metric and event of the collector, docs/events.md every name of a plain event; their examples are right."""

import json
import re
from pathlib import Path

import yaml

from collector.instruments import INSTRUMENTS, Kind
from collector.own_events import SECURITY_CATEGORIES
from collector.prometheus import prometheus_name
from collector.receivers.events import MAX_BYTES, MAX_EVENTS, EventsEncoding, read_events
from collector.receivers.plain_values import MAX_DEPTH
from docs.events_page import events_page, registry
from docs.telemetry_page import telemetry_page

DOCS = Path(__file__).parents[2] / "docs"
TELEMETRY = (DOCS / "telemetry.md").read_text(encoding="utf-8")
EVENTS = (DOCS / "events.md").read_text(encoding="utf-8")


def shown_names() -> set[str]:
    """Every name that a sample at /metrics can have."""
    names = set()
    for one in INSTRUMENTS:
        name = prometheus_name(one.name, one.unit)
        suffixes = {Kind.COUNTER: ["_total"], Kind.GAUGE: [""], Kind.HISTOGRAM: ["_bucket", "_sum", "_count"]}[one.kind]
        names |= {name + suffix for suffix in suffixes}
    return names


def test_every_metric_is_listed() -> None:
    """`python -m docs.telemetry_page` writes the table."""
    assert telemetry_page(TELEMETRY) == TELEMETRY
    assert all(f"| `{one.name}` |" in TELEMETRY for one in INSTRUMENTS)


def test_queries_and_alerts_use_metrics_that_exist() -> None:
    (queries,) = re.findall(r"```promql\n(.*?)```", TELEMETRY, flags=re.DOTALL)
    rules = next(block for block in re.findall(r"```yaml\n(.*?)```", TELEMETRY, flags=re.DOTALL) if "alert:" in block)
    used = re.findall(r"\bauditlake_\w+", queries) + re.findall(r"\bauditlake_\w+", rules)
    assert len(used) > 25
    assert set(used) - shown_names() == set()
    parsed = yaml.safe_load(rules)["groups"][0]["rules"]
    assert all(rule.keys() >= {"alert", "expr", "labels", "annotations"} for rule in parsed)
    assert all(bound in rules + queries for bound in ("0.005", "0.02"))


def test_every_event_of_the_collector_is_listed() -> None:
    names = {name for name, event in registry()["own_events"].items() if event["scope"] == "auditlake.collector"}
    assert {name for name in names if f"| `{name}` |" not in TELEMETRY} == set()
    assert all(f"`{reason}`" in TELEMETRY for reason in SECURITY_CATEGORIES)
    assert all(f"`{category}`" in TELEMETRY for category in SECURITY_CATEGORIES.values())


def test_the_names_of_plain_events_are_those_of_the_registry() -> None:
    """`python -m docs.events_page` writes the tables."""
    assert events_page(EVENTS) == EVENTS


def test_the_limits_of_plain_events_are_those_of_the_code() -> None:
    assert f"{MAX_BYTES >> 20} MiB" in EVENTS
    assert f"{MAX_EVENTS:,}" in EVENTS
    assert f"| objects and arrays in each other, in an attribute or body | {MAX_DEPTH} |" in EVENTS


def test_the_example_of_plain_events_is_one() -> None:
    (body,) = re.findall(r"curl --json '(\{.*?\})'", EVENTS)
    assert json.loads(body)["event"] == "heartbeat"
    assert read_events(body.encode(), EventsEncoding.JSON).rejected == 0
