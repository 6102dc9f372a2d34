"""A stored row holds all that dialects read: read again by the same code, it says the same."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.anyvalue import as_text
from collector.decode import TABLE_OF_SIGNAL, Decoder
from collector.dialects import DIALECTS, genai, names
from collector.dialects.values import boolean, first_text, integer, number, parsed, text
from collector.pricing import LISTED
from collector.rereading import Rereading
from storage.wal import BatchHeader
from tests.collector.otlp_samples import NOW_NS, header

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.pb"))


def again(decoder: Decoder) -> list[str]:
    """The columns that reading the decoder's rows again changes."""
    tables = decoder.tables(os.urandom)
    found: list[str] = []
    for name in ("spans", "events", "metrics"):
        if name in tables:
            reading = Rereading(name, tables[name], LISTED)
            found += [column for column, difference in reading.differences.items() if pa.compute.any(difference).as_py()]
            joins = {(join.trace_id, join.key, join.role) for join in reading.index.joins.values()}
            assert joins <= {(join.trace_id, join.key, join.role) for join in decoder.runs.joins.values()}
    return found


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_real_records_read_again_say_the_same(path: Path) -> None:
    signal = path.stem.rsplit("-", 1)[1]
    decoder = Decoder("node/collector", 0)
    decoder.add(header(signal), path.read_bytes())
    assert again(decoder) == []


def known_attributes() -> list[str]:
    """Every attribute that some dialect reads by a table, and what decides about dialects."""
    found: set[str] = set(genai.TABLE.attributes)
    for dialect in DIALECTS:
        module = __import__(dialect.read_span.__module__, fromlist=["TABLE"])
        table = getattr(module, "TABLE", None)
        found |= set(table.attributes) if isinstance(table, names.NameTable) else set()
    marks = {"openinference.span.kind", "traceloop.span.kind", "ai.operationId", "mlflow.spanType", "langsmith.span.kind", "metadata"}
    return sorted(found | marks)


WORDS = st.sampled_from(
    [
        "chat",
        "invoke_agent",
        "LLM",
        "TOOL",
        "gpt-4o-mini",
        "openai",
        "true",
        "false",
        "null",
        "12",
        "1.50",
        "[]",
        '["stop"]',
        '{"a":1}',
        "",
        "NaN",
    ]
)
SCALARS = WORDS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=6) | st.none() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5
)


def any_value(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
        case _:
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value.items())))


def pairs(items: Iterable[tuple[str, Any]]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in items]


ATTRIBUTES = st.dictionaries(st.sampled_from(known_attributes()), VALUES, max_size=8)
TIMES = st.sampled_from([0, 1, NOW_NS - 10**9, NOW_NS, NOW_NS + 10**9, 2**63 - 1, 2**64 - 1])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(ATTRIBUTES, ATTRIBUTES, TIMES, TIMES, st.binary(max_size=2), st.sampled_from([0, 1, 2])), min_size=1, max_size=4),
    ATTRIBUTES,
    st.sampled_from([None, "acme"]),
)
def test_whatever_was_sent_as_spans_reads_again_as_it_was_read(spans: list[Any], resource: dict[str, Any], tenant: str | None) -> None:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(pairs(resource.items()))
    for attributes, of_event, start, end, parent, status in spans:
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = "pydantic-ai" if status else ""
        span = of_scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=parent, name="chat", start_time_unix_nano=start)
        span.end_time_unix_nano, span.status.code = end, status
        span.attributes.extend(pairs(attributes.items()))
        span.events.add(name="exception").attributes.extend(pairs(of_event.items()))
        span.links.add(trace_id=parent)
    decoder = Decoder("node/collector", 0)
    decoder.add(of_tenant("traces", tenant), request.SerializeToString())
    assert again(decoder) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ATTRIBUTES, VALUES, TIMES, TIMES, WORDS), min_size=1, max_size=4), st.sampled_from([None, "acme"]))
def test_whatever_was_sent_as_log_records_reads_again_as_it_was_read(records: list[Any], tenant: str | None) -> None:
    request = ExportLogsServiceRequest()
    of_scope = request.resource_logs.add().scope_logs.add()
    for attributes, body, time, observed, name in records:
        record = of_scope.log_records.add(time_unix_nano=time, observed_time_unix_nano=observed, event_name=name, body=any_value(body))
        record.attributes.extend(pairs(attributes.items()))
        record.attributes.extend(pairs([("event.name", name)]))
    decoder = Decoder("node/collector", 0)
    decoder.add(of_tenant("logs", tenant), request.SerializeToString())
    assert again(decoder) == []


def of_tenant(signal: str, tenant: str | None) -> BatchHeader:
    plain = header(signal)
    values = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    return BatchHeader(**values | {"tenant": tenant})


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_a_value_and_its_stored_text_read_alike(value: Any) -> None:
    """The promise of collector.dialects.values, which lets dialects be tried with values of any type."""
    stored = as_text(value)
    for read in (text, integer, number, boolean):
        assert read(value) == read(stored)
    if isinstance(value, list | dict):
        assert as_text(parsed(value)) == as_text(parsed(stored))
    if not isinstance(value, list) or bytes not in map(type, value):
        assert first_text(value) == first_text(stored)


def test_every_signal_with_canonical_columns_of_dialects_can_be_read_again() -> None:
    assert set(TABLE_OF_SIGNAL.values()) == {"spans", "events", "metrics"}
