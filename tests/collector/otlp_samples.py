"""OTLP messages for tests: one with every field of the specification set to a value of its own, and small ones by hand."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from collector.signals import SIGNALS
from storage.wal import BatchHeader

NOW_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21T12:00:00Z
FIRST_NUMBER = 7_000_001


class Filler:
    """Sets every field, remembering what each was set to as the text that must be found in the row."""

    def __init__(self, oneofs: dict[str, str]) -> None:
        self._oneofs = oneofs  # full name of a oneof → the member to set
        self._next = FIRST_NUMBER
        self.expected: dict[str, str] = {}

    def fill(self, message: Any, path: str = "") -> Any:
        """Set every field of `message`, of a oneof the chosen one."""
        for field in message.DESCRIPTOR.fields:
            oneof = field.containing_oneof
            synthetic = oneof is not None and len(oneof.fields) == 1 and oneof.name.startswith("_")
            if oneof is not None and not synthetic and self._oneofs[oneof.full_name] != field.name:
                continue
            if field.name.endswith("_strindex"):  # of profiles, which are another signal
                continue
            self._set(message, field, f"{path}.{field.name}")
        return message

    def _set(self, message: Any, field: FieldDescriptor, path: str) -> None:
        if field.message_type is not None:
            child = getattr(message, field.name)
            if field.is_repeated:
                self.fill(child.add(), path)
            else:
                child.SetInParent()
                self.fill(child, path)
            return
        value = self._value(field, path)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)

    def _value(self, field: FieldDescriptor, path: str) -> Any:
        self._next += 1
        number = self._next
        kind = field.cpp_type
        if field.name == "trace_state" or (kind == FieldDescriptor.CPPTYPE_STRING and field.type == FieldDescriptor.TYPE_STRING):
            self.expected[path] = f"text-{number}"
            return f"text-{number}"
        if field.type == FieldDescriptor.TYPE_BYTES:
            size = 16 if "trace" in field.name else 8
            value = number.to_bytes(size, "big")
            self.expected[path] = value.hex()
            return value
        if kind == FieldDescriptor.CPPTYPE_ENUM:
            return 1
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return True
        if field.name.endswith("unix_nano"):
            number += NOW_NS
        self.expected[path] = str(number)
        return number


def complete_messages() -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    """Yield (signal, variant, message, path → text that must be found) with every field of the specification set."""
    any_value = {"opentelemetry.proto.common.v1.AnyValue.value": "string_value"}
    number = "opentelemetry.proto.metrics.v1.NumberDataPoint.value"
    exemplar = "opentelemetry.proto.metrics.v1.Exemplar.value"
    data = "opentelemetry.proto.metrics.v1.Metric.data"
    for signal in ("traces", "logs"):
        filler = Filler(any_value)
        yield signal, signal, filler.fill(SIGNALS[signal].request()), filler.expected
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        for value in ("as_int", "as_double"):
            filler = Filler(any_value | {data: kind, number: value, exemplar: value})
            yield "metrics", f"{kind}-{value}", filler.fill(SIGNALS["metrics"].request()), filler.expected


def header(signal: str, *, received_ns: int = NOW_NS, **fields: Any) -> BatchHeader:
    """A batch header with what a test does not care about."""
    return BatchHeader(signal=signal, tenant=fields.pop("tenant", None), received_ns=received_ns, policy_hash="policy", records=1, **fields)


def set_attribute(pairs: Any, key: str, value: Any) -> None:
    """Append a KeyValue."""
    pair = pairs.add()
    pair.key = key
    set_value(pair.value, value)


def set_value(target: Any, value: Any) -> None:
    """Set an AnyValue from a Python value."""
    match value:
        case bool():
            target.bool_value = value
        case str():
            target.string_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case bytes():
            target.bytes_value = value
        case list():
            target.array_value.SetInParent()
            for item in value:
                set_value(target.array_value.values.add(), item)
        case dict():
            target.kvlist_value.SetInParent()
            for key, item in value.items():
                set_attribute(target.kvlist_value.values, key, item)


def traces(*spans: dict[str, Any], scope: str = "test", resource: dict[str, Any] | None = None) -> Any:
    """An export request; a span is a dict of its fields, with `attributes`, `events` [(name, attributes)] and `links` [(trace, span)]."""
    message = SIGNALS["traces"].request()
    of_resource = message.resource_spans.add()
    for key, value in (resource or {}).items():
        set_attribute(of_resource.resource.attributes, key, value)
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    for fields in spans:
        _add_span(of_scope.spans.add(), dict(fields))
    return message


def _add_span(span: Any, fields: dict[str, Any]) -> None:
    span.trace_id = fields.pop("trace_id", b"\1" * 16)
    span.span_id = fields.pop("span_id", b"\2" * 8)
    span.start_time_unix_nano = fields.pop("start", NOW_NS - 2_000_000)
    span.end_time_unix_nano = fields.pop("end", NOW_NS - 1_000_000)
    span.status.code = fields.pop("status_code", 0)
    for key, value in fields.pop("attributes", {}).items():
        set_attribute(span.attributes, key, value)
    for name, attributes in fields.pop("events", ()):
        event = span.events.add()
        event.name = name
        for key, value in attributes.items():
            set_attribute(event.attributes, key, value)
    for trace_id, span_id in fields.pop("links", ()):
        link = span.links.add()
        link.trace_id, link.span_id = trace_id, span_id
    for name, value in fields.items():
        setattr(span, name, value)


def logs(*records: dict[str, Any], scope: str = "test", resource: dict[str, Any] | None = None) -> Any:
    """An export request; a record is a dict of its fields, with `attributes` and `body` as Python values."""
    message = SIGNALS["logs"].request()
    of_resource = message.resource_logs.add()
    for key, value in (resource or {}).items():
        set_attribute(of_resource.resource.attributes, key, value)
    of_scope = of_resource.scope_logs.add()
    of_scope.scope.name = scope
    for fields in records:
        record = of_scope.log_records.add()
        values = {"time_unix_nano": NOW_NS, **fields}
        for key, value in values.pop("attributes", {}).items():
            set_attribute(record.attributes, key, value)
        if "body" in values:
            set_value(record.body, values.pop("body"))
        for name, value in values.items():
            setattr(record, name, value)
    return message
