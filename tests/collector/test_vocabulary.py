"""The registry of the vocabulary: complete, in agreement with the decoder and with every name in our code."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.decode import Decoder
from collector.dialects import vocabulary
from collector.dialects.names import VOCABULARY
from collector.dialects.record import LogView, SpanView
from collector.instruments import INSTRUMENTS, Kind
from tests.collector.otlp_samples import header, logs

ROOT = Path(__file__).parents[2]
REGISTRY: dict[str, Any] = yaml.safe_load((ROOT / "collector/dialects/vocabulary.yaml").read_text(encoding="utf-8"))
ATTRIBUTES, EVENTS, METRICS = REGISTRY["attributes"], REGISTRY["events"], REGISTRY["metrics"]
CODE = ("alerts", "cli", "collector", "dashboards", "examples", "redaction", "sdk", "storage")
PYTHON_OF: dict[str, Any] = {"string": str, "string[]": list, "int": int, "double": (int, float), "boolean": bool}
LITERAL = re.compile(r"""["'](auditlake\.[a-z_]+(?:\.[a-z_]+)*)["']""")
GROUPS = {"cognitive", "operational", "business", "safety", "self"}


def names_in_code() -> dict[str, str]:
    """Every quoted `auditlake.…` in Python, SQL and YAML, with a file that has it."""
    found: dict[str, str] = {}
    for folder in CODE:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".sql", ".yaml"} and path.name != "vocabulary.yaml":
                found |= dict.fromkeys(LITERAL.findall(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT)))
    return found


def test_every_name_in_the_code_is_registered() -> None:
    """What we write or read is documented, with type and example."""
    found = names_in_code()
    known = {*ATTRIBUTES, *METRICS, *REGISTRY["scopes"]}
    assert {name: path for name, path in found.items() if name not in known} == {}
    assert len(found) > 100


def test_every_registered_name_is_in_the_code() -> None:
    """What the registry promises is read by a view or written by the SDK or a process of ours."""
    assert {*ATTRIBUTES, *METRICS, *REGISTRY["scopes"]} - names_in_code().keys() == set()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_says_everything_about_itself(name: str) -> None:
    """Type, requirement, where it stands, meaning, an example of its type; a unit where it is a number, and only there."""
    one = ATTRIBUTES[name]
    is_number = one["type"] in {"int", "double"}
    assert one.keys() == {"type", "requirement", "record", "text", "example"} | ({"unit"} if is_number else set())
    assert one["requirement"] in {"required", "recommended", "optional"}
    assert one["record"] in {"any", "span", "event", "resource", "metric"}
    assert isinstance(one["example"], PYTHON_OF[one["type"]])
    assert one["text"]


def test_what_an_event_must_have_is_required_of_it() -> None:
    """And every required attribute of events alone is one that some event must have."""
    needed = {name for event in (*EVENTS.values(), *REGISTRY["own_events"].values()) for name in event["required"]}
    ours = {name for name in needed if name.startswith("auditlake.")}
    assert {name for name in ours if ATTRIBUTES[name]["requirement"] != "required"} == set()
    of_events = {name for name, one in ATTRIBUTES.items() if one["requirement"] == "required" and one["record"] == "event"}
    assert of_events - ours == set()
    assert {event["scope"] for event in REGISTRY["own_events"].values()} <= REGISTRY["scopes"].keys()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_a_unit_a_group_labels_and_buckets(name: str) -> None:
    """A histogram without buckets, or with others in each process, cannot be added up."""
    one = METRICS[name]
    assert one["type"] in {"gauge", "sum", "histogram"}
    assert one["unit"]
    assert one["group"] in GROUPS
    if one["group"] != "self":
        assert all(label in ATTRIBUTES or label.startswith("gen_ai.") for label in one["attributes"])
    buckets = one.get("buckets", [])
    assert (one["type"] == "histogram") == bool(buckets)
    assert buckets == sorted(set(buckets))


def test_the_collectors_own_metrics_are_registered() -> None:
    """As they are, and no others. Of the bounds, 5 and 20 ms are the two of the audit SLO."""
    types = {Kind.COUNTER: "sum", Kind.GAUGE: "gauge", Kind.HISTOGRAM: "histogram"}
    for metric in INSTRUMENTS:
        registered = METRICS[metric.name]
        assert (registered["type"], registered["unit"], registered["text"]) == (types[metric.kind], metric.unit, metric.text)
        assert (tuple(registered["attributes"]), tuple(registered.get("buckets", ()))) == (metric.labels, metric.bounds)
        assert registered["group"] == "self"
    assert {0.005, 0.02} <= set(METRICS["auditlake.ack.duration"]["buckets"])


def example_of(name: str) -> object:
    return ATTRIBUTES[name]["example"]


@pytest.mark.parametrize("column", VOCABULARY)
def test_every_example_fills_its_column(column: str) -> None:
    """The decoder reads what the registry shows."""
    _, attributes = VOCABULARY[column]
    for name in attributes:
        fields = vocabulary.read_span(SpanView("s", "n", {"auditlake.kind": "run", name: example_of(name)}, {}, True, False))
        assert fields is not None
        assert fields[column] is not None


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_becomes_a_step_of_its_kind(event: str) -> None:
    """With its required attributes, as an SDK in another language would send it."""
    attributes = {name: example_of(name) for name in EVENTS[event]["required"] if name in ATTRIBUTES}
    fields = vocabulary.read_log(LogView("s", event, None, attributes, {}, False))
    assert fields is not None
    assert fields["step_kind"] == EVENTS[event]["kind"]


def test_planning_and_execution_the_terminated_reason_and_the_handoff_are_columns() -> None:
    run = {
        "auditlake.kind": "run", "auditlake.run.planning_ms": 420.5, "auditlake.run.execution_ms": "8120",
        "auditlake.run.terminated_reason": "max_steps", "auditlake.quality.score": 0.9, "auditlake.satisfaction": 1,
    }  # fmt: skip
    fields = vocabulary.read_span(SpanView("s", "n", run, {}, True, False))
    assert fields is not None
    expected = {"planning_ms": 420.5, "execution_ms": 8120.0, "stop_reason": "max_steps", "quality_score": 0.9, "satisfaction": 1.0}
    assert expected.items() <= fields.items()
    handed = vocabulary.read_log(LogView("s", "handoff", None, {"auditlake.handoff.to": "billing"}, {}, True))
    assert handed == {"step_kind": "other", "handoff_to": "billing", "operation": "handoff"}


def test_an_audit_action_is_understood_as_structlog_writes_it() -> None:
    """`agent_id action resource outcome latency_ms`; our own names go before."""
    plain: dict[str, object] = {
        "agent_id": "a-1",
        "action": "refund.issue",
        "resource": "order/81",
        "outcome": "success",
        "latency_ms": 12.5,
    }
    told = {**plain, "step_kind": "other", "operation": "agent_action"}
    assert vocabulary.read_log(LogView("s", "agent_action", None, plain, {}, False)) == told
    both = vocabulary.read_log(LogView("s", "agent_action", None, {**plain, "auditlake.action": "x"}, {}, False))
    assert both is not None
    assert both["action"] == "x"
    assert "action" not in (vocabulary.read_log(LogView("s", "task", None, plain, {}, False)) or {}), "of no other event"


@pytest.mark.parametrize("name", ["task", "heartbeat", "run.started"])
def test_an_event_is_the_same_whatever_names_it(name):
    """Its record, or an attribute, as in SDKs from before records had names."""
    decoder = Decoder("node/collector", 0)
    decoder.add(header("logs"), logs({"event_name": name}, {"attributes": {"event.name": name}}).SerializeToString())
    first, second = decoder.tables(os.urandom)["events"].select(["event_name", "operation", "dialect", "step_kind"]).to_pylist()
    assert (first.pop("event_name"), second.pop("event_name")) == (name, None)  # as sent
    assert first == second == {"operation": name, "dialect": "auditlake", "step_kind": vocabulary.KIND_OF_EVENT[name]}
