"""Odd input that is data nevertheless: it is taken, stored, and read back by DuckDB; the lake is checked when the suite ends."""

import json
import math
from typing import Any

import pytest

from collector.signals import LOGS, METRICS, TRACES, Message
from tests.conformance.requirements import shows
from tests.conformance.target import JSON, Target, a_request

NS_OF_2262 = 9_223_372_036_854_775_807
LARGE_BYTES = 10 << 20


def a_span(name: str) -> tuple[Message, Any]:
    """Return a request and its one span."""
    message = a_request(TRACES, name)
    return message, message.resource_spans[0].scope_spans[0].spans[0]


def taken(target: Target, message: Message, name: str, columns: str) -> tuple[Any, ...]:
    """The request is taken whole; return columns of its row."""
    answer = target.post(TRACES, message.SerializeToString())
    assert (answer.status_code, answer.content) == (200, b"")
    (row,) = target.rows(f"SELECT {columns} FROM {{spans}} WHERE name = '{name}'", 1)
    return row


@shows("end-before-start")
def test_an_end_before_the_start(target: Target) -> None:
    message, span = a_span("odd backwards")
    span.end_time_unix_nano = span.start_time_unix_nano - 1_000_000
    start, end = taken(target, message, "odd backwards", "start_ns, end_ns")
    assert start - end == 1_000_000


@shows("timestamps")
@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 0), (1, 2), (0, NS_OF_2262), (NS_OF_2262, NS_OF_2262), (NS_OF_2262 + 1, 2**64 - 1), (2**64 - 1, 0), (2**64 - 10**9, 2**64 - 1)],
    ids=["zero", "1970", "0 to 2262", "2262", "after 2262", "largest to zero", "negative"],
)
def test_absurd_timestamps(target: Target, start: int, end: int) -> None:
    """They are stored under the day on which they came, and flagged."""
    name = f"odd time {start} {end}"
    message, span = a_span(name)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    span.events.add(name="event", time_unix_nano=start)
    (flagged,) = taken(target, message, name, "clock_flagged")
    assert flagged


@shows("timestamps")
def test_absurd_timestamps_of_log_records_and_data_points(target: Target) -> None:
    times = (0, 1, NS_OF_2262, NS_OF_2262 + 1, 2**64 - 1)
    logs, metrics = LOGS.request(), METRICS.request()
    for time_ns in times:
        record = a_request(LOGS, "odd log time").resource_logs[0]
        record.scope_logs[0].log_records[0].time_unix_nano = time_ns
        record.scope_logs[0].log_records[0].observed_time_unix_nano = time_ns
        logs.resource_logs.append(record)
        metric = a_request(METRICS, "odd.metric.time").resource_metrics[0]
        metric.scope_metrics[0].metrics[0].gauge.data_points[0].time_unix_nano = time_ns
        metrics.resource_metrics.append(metric)
    assert target.post(LOGS, logs.SerializeToString()).content == b""
    assert target.post(METRICS, metrics.SerializeToString()).content == b""
    assert len(target.rows("SELECT time FROM {events} WHERE event_name = 'odd log time'", 5)) == 5
    assert len(target.rows("SELECT time FROM {metrics} WHERE metric_name = 'odd.metric.time'", 5)) == 5


@shows("many-attributes")
def test_a_hundred_thousand_attributes(target: Target) -> None:
    message, span = a_span("odd attributes")
    for number in range(100_000):
        span.attributes.add(key=f"k{number}").value.int_value = number
    assert taken(target, message, "odd attributes", "cardinality(attributes), attributes['k99999']") == (100_000, "99999")


@shows("large-values")
def test_values_of_10_mb(target: Target) -> None:
    """Kept as they are, or withheld where they could not be checked in time; the record stays."""
    message, span = a_span("odd large")
    span.attributes.add(key="large").value.string_value = "word " * (LARGE_BYTES // 5)
    span.attributes.add(key="bytes").value.bytes_value = bytes(LARGE_BYTES)
    large, digest = taken(target, message, "odd large", "attributes['large'], attributes['bytes']")
    assert len(large) >= LARGE_BYTES - 5 or large.startswith("<WITHHELD:")
    assert "BLOB" in digest or len(digest) >= LARGE_BYTES


@shows("duplicate-keys")
def test_duplicate_keys(target: Target) -> None:
    """The last one counts; a map that held both could not be read any more."""
    message, span = a_span("odd duplicates")
    for value in ("one", "two", "three"):
        span.attributes.add(key="key").value.string_value = value
        message.resource_spans[0].resource.attributes.add(key="key").value.string_value = value
    columns = "attributes['key'], cardinality(attributes), resource_attributes['key'], cardinality(resource_attributes)"
    assert taken(target, message, "odd duplicates", columns) == ("three", 1, "three", 1)


@shows("mixed-arrays", "nested-values")
def test_arrays_of_mixed_types_and_nested_maps(target: Target) -> None:
    message, span = a_span("odd values")
    mixed = span.attributes.add(key="mixed").value.array_value.values
    mixed.add(string_value="text")
    mixed.add(int_value=-1)
    mixed.add(double_value=math.nan)
    mixed.add(double_value=-math.inf)
    mixed.add(bool_value=True)
    mixed.add(bytes_value=b"\xff")
    mixed.add()
    inner = mixed.add().kvlist_value.values.add(key="a").value.kvlist_value.values
    inner.add(key="b").value.string_value = "deep"
    inner.add(key="c").value.int_value = 7
    inner.add(key="").value.array_value.SetInParent()
    inner.add()
    span.attributes.add(key="nothing")
    span.attributes.add(key="nan").value.double_value = math.nan
    span.attributes.add(key="infinite").value.double_value = math.inf
    mixed_text, nan = taken(target, message, "odd values", "attributes['mixed'], attributes['nan']")
    assert "text" in mixed_text
    assert "deep" in mixed_text
    assert "nan" in nan.lower()


@shows("nested-values")
def test_values_nested_as_deep_as_can_be(target: Target) -> None:
    message, span = a_span("odd depth")
    value = span.attributes.add(key="deep").value
    for _ in range(40):
        value = value.array_value.values.add()
    value.string_value = "bottom"
    (deep,) = taken(target, message, "odd depth", "attributes['deep']")
    assert "bottom" in deep


@shows("json-nan")
def test_numbers_that_are_none(target: Target) -> None:
    """As protobuf sends them, and as JSON spells them."""
    message = METRICS.request()
    points = message.resource_metrics.add().scope_metrics.add().metrics.add(name="odd.numbers").gauge.data_points
    for value in (math.nan, math.inf, -math.inf, -0.0, 5e-324):
        points.add(time_unix_nano=1_795_262_400_000_000_000, as_double=value)
    assert target.post(METRICS, message.SerializeToString()).content == b""
    found = [row[0] for row in target.rows("SELECT value FROM {metrics} WHERE metric_name = 'odd.numbers' ORDER BY entry_row", 5)]
    assert [str(value) for value in found] == ["nan", "inf", "-inf", "-0.0", "5e-324"]
    for number, text in enumerate(("NaN", "Infinity", "-Infinity")):
        point = {"timeUnixNano": "1795262400000000000", "asDouble": text}
        metric = {"name": f"odd.json.numbers.{number}", "gauge": {"dataPoints": [point]}}
        body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
        assert target.post(METRICS, body, JSON).content == b"{}"
    found = [
        row[0] for row in target.rows("SELECT value FROM {metrics} WHERE metric_name LIKE 'odd.json.numbers.%' ORDER BY metric_name", 3)
    ]
    assert [str(value) for value in found] == ["nan", "inf", "-inf"]


@shows("empty-keys")
def test_empty_keys_and_names(target: Target) -> None:
    message, span = a_span("odd empty")
    for key in ("", " ", "", "a.", ".", "é", "\u202e", "😀", "<EMAIL_ADDRESS>"):
        span.attributes.add(key=key).value.string_value = "value"
    span.events.add()
    span.links.add()
    message.resource_spans[0].resource.attributes.add().value.string_value = "of no key"
    (count,) = taken(target, message, "odd empty", "cardinality(attributes)")
    assert count >= 8


@shows("nul")
def test_nul_bytes_and_texts_that_look_like_something_else(target: Target) -> None:
    texts = (
        "a\x00b",
        "\x00",
        "'; DROP TABLE spans; --",
        "../../../../etc/passwd",
        "{spans}",
        "%s%n",
        "\ufeff",
        "\U0010ffff",
        "\r\n\x1b[31m",
    )
    message, span = a_span("odd text")
    for number, text in enumerate(texts):
        span.attributes.add(key=f"k{number}").value.string_value = text
        span.attributes.add(key=f"key {text}").value.int_value = number
        span.events.add(name=text)
    span.status.message = texts[0]
    found = taken(target, message, "odd text", ", ".join(f"attributes['k{number}']" for number in range(len(texts))))
    assert found[0].startswith("a")
    assert found[2:7] == texts[2:7]


@shows("nul")
def test_service_names_that_are_paths(target: Target) -> None:
    """What comes from outside is never part of a path."""
    message, span = a_span("odd resource")
    for key in ("service.name", "tenant", "deployment.environment.name", "service.version", "gen_ai.agent.name"):
        message.resource_spans[0].resource.attributes.add(key=key).value.string_value = "../../../tmp/\x00' OR 1=1"
        span.attributes.add(key=key).value.string_value = "/etc/passwd\x00"
    assert taken(target, message, "odd resource", "name") == ("odd resource",)


@shows("bad-ids")
def test_ids_of_links_and_exemplars_that_are_none(target: Target) -> None:
    message = METRICS.request()
    point = message.resource_metrics.add().scope_metrics.add().metrics.add(name="odd.exemplars").histogram.data_points.add()
    point.count, point.sum = 2**64 - 1, -1.0
    point.bucket_counts.extend([1, 2, 3])
    point.explicit_bounds.extend([math.nan])
    point.exemplars.add(trace_id=b"none", span_id=b"x" * 100, as_double=math.nan)
    assert target.post(METRICS, message.SerializeToString()).status_code == 200
    assert len(target.rows("SELECT 1 FROM {metrics} WHERE metric_name = 'odd.exemplars'", 1)) == 1


@shows("empty", "nested-values")
def test_messages_without_what_they_are_for(target: Target) -> None:
    """Metrics without data, resources without scopes, quantiles and buckets that do not fit."""
    metrics = METRICS.request()
    metrics.resource_metrics.add()
    scope = metrics.resource_metrics.add().scope_metrics.add()
    scope.metrics.add(name="odd.nothing")
    scope.metrics.add().sum.SetInParent()
    scope.metrics.add(name="odd.summary").summary.data_points.add().quantile_values.add(quantile=-1, value=math.inf)
    exponential = scope.metrics.add(name="odd.exponential").exponential_histogram.data_points.add(scale=-(2**31), zero_count=2**64 - 1)
    exponential.positive.offset = 2**31 - 1
    exponential.positive.bucket_counts.extend([2**64 - 1] * 3)
    scope.metrics.add(name="odd.histogram").histogram.data_points.add(bucket_counts=[2**64 - 1], explicit_bounds=[1.0, 1.0, -5.0])
    assert target.post(METRICS, metrics.SerializeToString()).status_code == 200
    names = "'odd.summary', 'odd.exponential', 'odd.histogram'"
    assert len(target.rows(f"SELECT 1 FROM {{metrics}} WHERE metric_name IN ({names})", 3)) == 3
