"""OTLP's own JSON rules, seen from what was stored."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from collector.signals import LOGS, METRICS, SIGNALS, TRACES
from tests.conformance.requirements import shows
from tests.conformance.target import JSON, Target, a_body

VECTORS = Path(__file__).parents[1] / "vectors" / "otlp-json"
TRACE = "5B8EFFF798038103d269b633813fc60c"


def send_span(target: Target, name: str, **fields: Any) -> None:
    """Send one span in JSON; it is taken whole."""
    span = {"traceId": TRACE, "spanId": "EEE19b7ec3c1b174", "name": name, **fields}
    answer = target.post(TRACES, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(), JSON)
    assert (answer.status_code, answer.json()) == (200, {})


def stored(target: Target, name: str, columns: str) -> tuple[Any, ...]:
    """Return columns of the one span of a name."""
    (row,) = target.rows(f"SELECT {columns} FROM {{spans}} WHERE name = '{name}'", 1)
    return row


@shows("json-ids")
def test_ids_are_hexadecimal_of_any_case(target: Target) -> None:
    send_span(target, "json ids", parentSpanId="EEE19B7EC3C1B175")
    assert stored(target, "json ids", "trace_id, span_id, parent_span_id") == (TRACE.lower(), "eee19b7ec3c1b174", "eee19b7ec3c1b175")


@shows("json-enums", "json-names")
@pytest.mark.parametrize("kind", [0, 3, 99])
def test_enumerations_are_integers_also_of_newer_versions(target: Target, kind: int) -> None:
    send_span(target, f"json kind {kind}", kind=kind, status={"code": 2, "message": "why"}, droppedAttributesCount=4)
    columns = "kind, status_code, status_message, dropped_attributes_count"
    assert stored(target, f"json kind {kind}", columns) == (kind, 2, "why", 4)


@shows("json-unknown")
def test_unknown_fields_are_ignored(target: Target) -> None:
    """At every level, whatever is in them."""
    send_span(
        target, "json unknown", fromTheFuture={"traceId": 5}, attributes=[{"key": "k", "new": [1], "value": {"intValue": 1, "x": {}}}]
    )
    assert stored(target, "json unknown", "attributes['k']") == ("1",)


@shows("json-integers")
def test_64_bit_integers_are_text_or_numbers(target: Target) -> None:
    start = 1_795_262_400_123_456_789
    send_span(target, "json text", startTimeUnixNano=str(start), attributes=[{"key": "k", "value": {"intValue": str(2**63 - 1)}}])
    send_span(target, "json number", startTimeUnixNano=start, attributes=[{"key": "k", "value": {"intValue": -(2**63)}}])
    assert stored(target, "json text", "start_ns, attributes['k']") == (start, str(2**63 - 1))
    assert stored(target, "json number", "start_ns, attributes['k']") == (start, str(-(2**63)))


@shows("json-bytes")
def test_bytes_are_base64(target: Target) -> None:
    """Bytes that are text are cleaned as text, all others stand as their digest."""
    sent = {"text": base64.b64encode(b"hello").decode(), "url": "_-8", "padded": "/+8="}
    send_span(target, "json bytes", attributes=[{"key": key, "value": {"bytesValue": value}} for key, value in sent.items()])
    text, url, padded = stored(target, "json bytes", "attributes['text'], attributes['url'], attributes['padded']")
    assert base64.b64decode(json.loads(text) if text.startswith('"') else text) == b"hello" or "hello" in text
    assert url == padded


@shows("json-examples")
@pytest.mark.parametrize("name", ["trace", "logs", "metrics", "events"])
def test_the_specifications_examples(target: Target, name: str) -> None:
    signal = {"trace": TRACES, "logs": LOGS, "events": LOGS, "metrics": METRICS}[name]
    answer = target.post(signal, (VECTORS / f"{name}.json").read_bytes(), JSON)
    assert (answer.status_code, answer.json()) == (200, {})


@shows("json-as-protobuf")
def test_json_and_protobuf_are_the_same_request(target: Target) -> None:
    """So the second is a resend of the first, and stored once."""
    message = SIGNALS["traces"].request.FromString(a_body(TRACES, "json same"))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    send_span(
        target,
        "json same",
        traceId=span.trace_id.hex(),
        spanId=span.span_id.hex(),
        startTimeUnixNano=str(span.start_time_unix_nano),
        endTimeUnixNano=str(span.end_time_unix_nano),
    )
    assert target.call(TRACES, message.SerializeToString()) == TRACES.response()
    send_span(target, "json last")
    stored(target, "json last", "name")
    assert len(target.rows("SELECT 1 FROM {spans} WHERE name = 'json same'", 1)) == 1
