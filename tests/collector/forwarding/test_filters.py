"""`processors.filter`: what is forwarded, by name, attribute, severity, tenant and class."""

from typing import Any

import pytest
from pydantic import ValidationError

from collector.config_filter import FilterConfig
from collector.forwarding.filters import Filter
from collector.signals import LOGS, METRICS, TRACES, Signal
from tests.collector.otlp_samples import logs, traces


def spans() -> Any:
    message = traces(
        {"name": "GET /health"},
        {"name": "chat", "attributes": {"model": "m1", "tokens": 7, "cached": True}},
        {"name": "chat", "attributes": {"model": "m2", "tokens": 8}},
    )
    message.resource_spans[0].resource.attributes.add(key="service.name").value.string_value = "support"
    other = message.resource_spans.add()
    other.resource.attributes.add(key="tenant.id").value.string_value = "acme"
    other.scope_spans.add().spans.add(name="other")
    return message


def records() -> Any:
    return logs(
        {"event_name": "run.started", "severity_number": 9, "severity_text": "INFO"},
        {"event_name": "note", "severity_number": 17, "severity_text": "ERROR"},
        {"body": "plain"},
    )


def metrics() -> Any:
    message = METRICS.request()
    scope = message.resource_metrics.add().scope_metrics.add()
    for name in ("tokens", "latency"):
        points = scope.metrics.add(name=name).sum.data_points
        for model in ("m1", "m2"):
            points.add(as_int=1).attributes.add(key="model").value.string_value = model
    scope.metrics.add(name="empty")
    return message


def left(signal: Signal, message: Any, filters: list[dict[str, Any]], tenant: str | None = None) -> list[str]:
    """What stays, one letter or name a record, after the filters and in order."""
    section = {"traces": "spans"}.get(signal.name, signal.name)
    applied = Filter(signal.name, [FilterConfig.model_validate({section: each}) for each in filters])
    count = applied.apply(signal, message, tenant)
    if signal is TRACES:
        found = [span.name for group in message.resource_spans for scope in group.scope_spans for span in scope.spans]
    elif signal is LOGS:
        found = [record.event_name for group in message.resource_logs for scope in group.scope_logs for record in scope.log_records]
    else:
        found = [
            f"{metric.name} {point.attributes[0].value.string_value}"
            for group in message.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
            for point in metric.sum.data_points
        ]
    assert count == len(found)
    return found


ALL = ["GET /health", "chat", "chat", "other"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ALL),
        ([{"include": {"span_names": ["chat", "nothing"]}}], ["chat", "chat"]),
        ([{"exclude": {"match_type": "regexp", "span_names": ["^GET /h"]}}], ["chat", "chat", "other"]),
        ([{"include": {"services": ["support"]}}], ALL[:3]),
        ([{"include": {"tenants": ["acme"]}}], ["other"]),
        ([{"include": {"resource_attributes": [{"key": "tenant.id", "value": "acme"}]}}], ["other"]),
        ([{"include": {"attributes": [{"key": "model"}]}}], ["chat", "chat"]),
        ([{"include": {"attributes": [{"key": "model", "value": "m1"}, {"key": "tokens", "value": 7}]}}], ["chat"]),
        ([{"include": {"attributes": [{"key": "model", "value": "m1"}, {"key": "tokens", "value": 8}]}}], []),
        ([{"include": {"attributes": [{"key": "tokens", "value": "7"}]}}], []),
        ([{"include": {"attributes": [{"key": "cached", "value": True}]}}], ["chat"]),
        ([{"include": {"match_type": "regexp", "attributes": [{"key": "tokens", "value": "^[78]$"}]}}], ["chat", "chat"]),
        ([{"include": {"span_names": ["chat"]}, "exclude": {"attributes": [{"key": "model", "value": "m2"}]}}], ["chat"]),
        ([{"include": {"span_names": ["chat"]}}, {"exclude": {"span_names": ["chat"]}}], []),
    ],
)
def test_spans(filters: list[dict[str, Any]], expected: list[str]) -> None:
    assert left(TRACES, spans(), filters) == expected


def test_the_tenant_of_the_sender_overrules_what_the_resource_says() -> None:
    assert left(TRACES, spans(), [{"include": {"tenants": ["globex"]}}], tenant="globex") == ALL
    assert left(TRACES, spans(), [{"include": {"tenants": ["acme"]}}], tenant="globex") == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"audit": True}, ["run.started"]),
        ({"audit": False}, ["note", ""]),
        ({"event_names": ["note"]}, ["note"]),
        ({"severity_texts": ["INFO"]}, ["run.started"]),
        ({"severity_number": {"min": 13}}, ["note"]),
        ({"severity_number": {"min": 13, "match_undefined": True}}, ["note", ""]),
        ({"match_type": "regexp", "event_names": ["^run[.]", "^n"]}, ["run.started", "note"]),
        ({"record_attributes": [{"key": "missing"}]}, []),
    ],
)
def test_log_records(wanted: dict[str, Any], expected: list[str]) -> None:
    assert left(LOGS, records(), [{"include": wanted}]) == expected


def test_data_points() -> None:
    assert left(METRICS, metrics(), [{"include": {"metric_names": ["tokens"]}}]) == ["tokens m1", "tokens m2"]
    assert left(METRICS, metrics(), [{"exclude": {"attributes": [{"key": "model", "value": "m1"}]}}]) == ["tokens m2", "latency m2"]


def test_groups_that_end_up_empty_are_gone() -> None:
    message = spans()
    left(TRACES, message, [{"include": {"tenants": ["nobody"]}}])
    assert message == TRACES.request()


def test_a_section_for_another_signal_says_nothing() -> None:
    assert Filter("logs", [FilterConfig.model_validate({"spans": {"exclude": {"span_names": ["a"]}}})]).says_nothing


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"spans": {"include": {}}}, "names nothing"),
        ({"spans": {"include": {"match_type": "regexp"}}}, "names nothing"),
        ({"spans": {"include": {"match_type": "regexp", "span_names": ["("]}}}, "no regular expression"),
        ({"spans": {"include": {"match_type": "regexp", "attributes": [{"key": "a", "value": "["}]}}}, "no regular expression"),
        ({"spans": {"include": {"match_type": "glob", "span_names": ["a"]}}}, "strict"),
        ({"logs": {"include": {"severity_number": {"min": 99}}}}, "24"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FilterConfig.model_validate(values)
