"""Bytes ↔ messages: both encodings, and OTLP's own JSON rules."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest

from collector.errors import Malformed, UnsupportedMedia
from collector.receivers.encoding import Encoding, decode_request, encode_response, encode_status, encoding_of, response_message
from collector.signals import LOGS, METRICS, SIGNALS, TRACES, Message, Signal
from collector.status import status_message

VECTORS = Path(__file__).parents[1] / "vectors" / "otlp-json"
ROOTS = {"trace": TRACES, "logs": LOGS, "events": LOGS, "metrics": METRICS}


def from_json(signal: Signal, value: Any) -> Message:
    """Decode a JSON value as a request body."""
    return decode_request(signal, Encoding.JSON, json.dumps(value).encode())


def span(**fields: Any) -> Any:
    """A request body with one span."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}


def one_span(body: Any) -> Message:
    return from_json(TRACES, body).resource_spans[0].scope_spans[0].spans[0]


def to_json(message: Message) -> Any:
    """A message as OTLP JSON, written independently of the parser: enums as numbers, 64-bit integers as text, ids hexadecimal."""
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        items = list(value) if field.is_repeated else [value]
        if field.type == field.TYPE_MESSAGE:
            items = [to_json(item) for item in items]
        elif field.type == field.TYPE_BYTES:
            items = [item.hex() if field.name.endswith("_id") else base64.b64encode(item).decode() for item in items]
        elif field.type in {field.TYPE_INT64, field.TYPE_FIXED64, field.TYPE_UINT64, field.TYPE_SFIXED64}:
            items = [str(item) for item in items]
        result[field.json_name] = items if field.is_repeated else items[0]
    return result


def normal(value: Any) -> Any:
    """The same JSON with ids in lower case and 64-bit integers as text, defaults left out."""
    if isinstance(value, dict):
        return {
            key: item.lower() if key in {"traceId", "spanId", "parentSpanId"} else str(item) if key in LONG else normal(item)
            for key, item in value.items()
            if item is not False and item != 0
        }
    if isinstance(value, list):
        return [normal(item) if isinstance(item, dict) else float(item) for item in value]  # lists of scalars are bounds and counts
    return value


LONG = {"timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano", "intValue", "asInt", "count", "zeroCount"}


@pytest.mark.parametrize("name", ROOTS)
def test_every_value_of_the_specifications_examples_is_found_again(name: str) -> None:
    value = json.loads((VECTORS / f"{name}.json").read_text())
    message = from_json(ROOTS[name], value)
    written = to_json(message)
    if name == "events":  # a zero in a oneof is a value, not a default
        assert "intValue" in json.dumps(written)
    assert normal(written) == normal(value)


def test_ids_are_hexadecimal_in_any_case() -> None:
    found = one_span(span(traceId="5B8EFFF798038103d269b633813fc60c", spanId="EEE19b7ec3c1b174", parentSpanId=""))
    assert (found.trace_id.hex(), found.span_id.hex(), found.parent_span_id) == (
        "5b8efff798038103d269b633813fc60c",
        "eee19b7ec3c1b174",
        b"",
    )


def test_integers_come_as_text_or_number_and_enumerations_as_integers() -> None:
    for value in ("1544712660000000000", 1544712660000000000):
        assert one_span(span(startTimeUnixNano=value)).start_time_unix_nano == 1544712660000000000
    assert one_span(span(kind=2)).kind == 2
    assert one_span(span(kind=99)).kind == 99


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    found = one_span(span(name="n", futureField={"traceId": 5}, status=None))
    assert found.name == "n"
    assert not found.HasField("status")


def test_original_field_names_are_accepted() -> None:
    assert from_json(TRACES, {"resource_spans": [{"scope_spans": [{"spans": [{"trace_id": "00" * 16}]}]}]}).resource_spans


def test_numbers_that_json_cannot_write() -> None:
    metric = {"gauge": {"dataPoints": [{"asDouble": value} for value in ("NaN", "Infinity", "-Infinity", 1, 2.5, "3.5")]}}
    message = from_json(METRICS, {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
    found = [point.as_double for point in message.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points]
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0, 2.5, 3.5]


@pytest.mark.parametrize("text", ["/+8=", "_-8", "/+8"])
def test_bytes_are_base64_of_either_alphabet(text: str) -> None:
    found = one_span(span(attributes=[{"key": "b", "value": {"bytesValue": text}}]))
    assert found.attributes[0].value.bytes_value == b"\xff\xef"


SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "body",
    [
        span(traceId=SECRET),
        span(traceId=5),
        span(startTimeUnixNano=SECRET),
        span(startTimeUnixNano="-1"),
        span(startTimeUnixNano=1.5),
        span(startTimeUnixNano=True),
        span(name=7),
        span(attributes={"key": SECRET}),
        span(attributes=[SECRET]),
        span(attributes=[{"key": "k", "value": {"boolValue": SECRET}}]),
        span(attributes=[{"key": "k", "value": {"bytesValue": "!!!!"}}]),
        [],
        SECRET,
    ],
)
def test_wrong_types_are_refused_without_repeating_the_value(body: Any) -> None:
    with pytest.raises(Malformed) as caught:
        from_json(TRACES, body)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b"[" * 10_000, b'{"resourceSpans":' * 10_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"line \d+, column \d+"):
        decode_request(TRACES, Encoding.JSON, body)


def nested(depth: int) -> Any:
    value: Any = {"intValue": 1}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return span(attributes=[{"key": "k", "value": value}])


def test_what_json_accepts_can_be_read_back_as_protobuf() -> None:
    """The nesting limits agree, else the sealer could not read what was acknowledged."""
    accepted = [depth for depth in range(40, 60) if _accepts(nested(depth))]
    assert accepted
    for depth in accepted:
        decode_request(TRACES, Encoding.PROTOBUF, from_json(TRACES, nested(depth)).SerializeToString())
    with pytest.raises(Malformed):
        from_json(TRACES, nested(200))


def _accepts(body: Any) -> bool:
    try:
        from_json(TRACES, body)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\x0a\xff\xff\xff\xff\x07", r"resource_\w+ announces 2147483647 bytes, 0 are left"),
        (b"\x0a\x05abc", r"resource_\w+ announces 5 bytes, 3 are left"),
        (b"\x0a\x80", r"resource_\w+ ends within a number"),
        (b"\xff" * 50, "holds a number that is too long"),
        (b"\x0a\x04\x0a\x02\x0a\x00\xff", "announces 0 bytes|ends within a number"),
        (b"\x08\x01", r"resource_\w+ has the wrong wire type"),
        (b"\x0a\x02\x10\x05", r"Resource\w+\.scope_\w+ has the wrong wire type"),
        (b"\x00\x00", "no valid tag"),
        (b"\x0f", "no valid tag"),
        (b"\x0b\x0c", r"resource_\w+ has the wrong wire type"),
        (b"\xfb\x01\x08", "Request$"),
    ],
)
@pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
def test_broken_protobuf_is_refused_and_the_first_problem_named(signal: Signal, body: bytes, problem: str) -> None:
    with pytest.raises(Malformed, match=problem):
        decode_request(signal, Encoding.PROTOBUF, body)


def test_text_that_is_no_utf_8_is_named_by_its_field() -> None:
    message = TRACES.request()
    message.resource_spans.add().scope_spans.add().spans.add(name="spam")
    with pytest.raises(Malformed, match=r"Span\.name is not valid UTF-8"):
        decode_request(TRACES, Encoding.PROTOBUF, message.SerializeToString().replace(b"spam", b"\xff\xff\xff\xff"))


def test_a_sender_that_writes_zeros_is_not_refused() -> None:
    """Sizes differ then, although nothing unknown was sent."""
    assert decode_request(TRACES, Encoding.PROTOBUF, b"\x0a\x06\x12\x04\x12\x02\x50\x00").resource_spans


def test_unknown_protobuf_fields_are_discarded() -> None:
    """They could carry raw text past the redaction."""
    message = decode_request(TRACES, Encoding.PROTOBUF, b"\x0a\x00" + b"\xfa\x3e\x06canary" + b"\x0a\x09\xfa\x3e\x06canary")
    assert b"canary" not in message.SerializeToString()


def test_media_types() -> None:
    assert encoding_of("application/json; charset=utf-8") is Encoding.JSON
    assert encoding_of("Application/X-Protobuf") is Encoding.PROTOBUF
    for other in ("", "text/plain", "application/grpc"):
        with pytest.raises(UnsupportedMedia):
            encoding_of(other)


@pytest.mark.parametrize("signal", list(SIGNALS.values()), ids=lambda signal: signal.name)
def test_success_leaves_partial_success_unset(signal: Signal) -> None:
    response = response_message(signal, 0, "")
    assert encode_response(signal, response, Encoding.JSON) == b"{}"
    assert encode_response(signal, response, Encoding.PROTOBUF) == b""
    assert not response.HasField("partial_success")


@pytest.mark.parametrize(("signal", "field"), [(TRACES, "rejectedSpans"), (LOGS, "rejectedLogRecords"), (METRICS, "rejectedDataPoints")])
def test_partial_success_in_json(signal: Signal, field: str) -> None:
    body = json.loads(encode_response(signal, response_message(signal, 3, "why"), Encoding.JSON))
    assert body == {"partialSuccess": {field: "3", "errorMessage": "why"}}
    warning = json.loads(encode_response(signal, response_message(signal, 0, "look out"), Encoding.JSON))
    assert warning == {"partialSuccess": {"errorMessage": "look out"}}


def test_a_failure_is_a_status_in_the_encoding_of_the_request() -> None:
    status = status_message(Malformed("the body is not valid JSON"))
    assert json.loads(encode_status(status, Encoding.JSON)) == {"code": 3, "message": "the body is not valid JSON"}
    assert type(status).FromString(encode_status(status, Encoding.PROTOBUF)) == status
