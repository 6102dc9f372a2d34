"""One plain JSON event as an OTLP log record: `{"event": "heartbeat", "agent": "support", "status": "idle"}`.

The envelope (`event`, `time`, `severity`, …) becomes fields of the record, names of the vocabulary become their attributes, everything
else is an attribute as it comes. Who sends is said of the resource: tenant, project, environment, release and service.
"""

import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.receivers.event_names import GROUP_OF_EVENT, ON_RESOURCE, SHORT_NAMES
from collector.receivers.plain_values import BadEvent, Doubled, fill, text_of, time_ns
from collector.resends import EVENT_ID

_RANGES: Final = (("TRACE", 1), ("DEBUG", 5), ("INFO", 9), ("WARN", 13), ("ERROR", 17), ("FATAL", 21))
SEVERITIES: Final = {
    **dict(_RANGES),
    **{f"{name}{step}": first + step - 1 for name, first in _RANGES for step in range(1, 5)},
    "INFORMATION": 9, "NOTICE": 10, "WARNING": 13, "ERR": 17, "CRITICAL": 21, "ALERT": 21, "EMERGENCY": 24,
}  # fmt: skip
"""OpenTelemetry's names (Logs Data Model, "Displaying Severity"), and those of syslog and of logging libraries."""
TYPE_OF: Final[Mapping[str, str]] = dict(SHORT_NAMES.values())
_OTHER: Final = "an attribute"  # its name is the sender's, and is not repeated
Resource = tuple[tuple[str, str], ...]


class PlainEvent(NamedTuple):
    """A log record, and the attributes of the resource that it belongs to, by their names."""

    record: LogRecord
    resource: Resource


class _Attribute(NamedTuple):
    """What a name stands for: `shown` may be told to the sender."""

    key: str
    kind: str | None
    shown: str


def read_event(value: Any) -> PlainEvent:
    """Return the record of one parsed event; raises BadEvent naming the field."""
    if isinstance(value, Doubled):
        raise BadEvent("a name comes twice")
    if not isinstance(value, dict):
        raise BadEvent("an event must be a JSON object")
    name = value.get("event")
    if not isinstance(name, str) or not name.strip():
        raise BadEvent("event must be the name of the event" if name is not None else "event is missing: the name of the event")
    record = LogRecord(event_name=text_of(name, "event"))
    resource: dict[str, str] = {}
    seen = {EVENT_ID} if value.get("id") is not None else set()
    for said, given in _members(value):
        if given is None:
            continue
        if said in _ENVELOPE:
            _ENVELOPE[said](record, given)
            continue
        attribute = _attribute(said, name)
        if attribute.key in seen:
            raise BadEvent(f"{attribute.shown} is given twice")
        seen.add(attribute.key)
        known = given if attribute.kind is None else _checked(attribute, given)
        if attribute.key in ON_RESOURCE:
            resource[attribute.key] = text_of(known, attribute.shown)
        else:
            fill(record.attributes.add(key=attribute.key).value, known, attribute.shown)
    return PlainEvent(record, tuple(sorted(resource.items())))


def _members(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values, those under `attributes` after the others and under their full keys."""
    attributes = event.get("attributes")
    if attributes is not None and (not isinstance(attributes, dict) or isinstance(attributes, Doubled)):
        raise BadEvent("attributes must be a JSON object in which no name comes twice")
    for name, value in event.items():
        if name not in {"event", "attributes"}:
            yield name, value
    for key, value in (attributes or {}).items():
        yield _Full(key), value


class _Full(str):
    """The key of an attribute, which stands for nothing else."""

    __slots__ = ()


def _attribute(name: str, event: str) -> _Attribute:
    """Return what a name stands for in an event: in its group first, then anywhere, else it is a key."""
    if not name:
        raise BadEvent("an attribute has no name")
    if not isinstance(name, _Full):
        group = GROUP_OF_EVENT.get(event)
        found = (SHORT_NAMES.get(f"{group}_{name}") if group else None) or SHORT_NAMES.get(name)
        if found is not None:
            return _Attribute(found[0], found[1], name)
    kind = TYPE_OF.get(name)
    return _Attribute(text_of(name, _OTHER), kind, name if kind else _OTHER)


def _checked(attribute: _Attribute, value: Any) -> Any:
    """Return the value of a name that we know, as its type; raises BadEvent for one of another type."""
    fits, wanted = _FITS[attribute.kind or ""]
    if not fits(value):
        raise BadEvent(f"{attribute.shown} must be {wanted}")
    return int(value) if attribute.kind == "int" else float(value) if attribute.kind == "double" else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "string": (lambda value: isinstance(value, str), "text"),
    "string[]": (lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value), "an array of texts"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "int": (lambda value: _is_number(value) and float(value).is_integer(), "a whole number"),
    "double": (_is_number, "a number"),
}


def _set_time(record: LogRecord, value: Any) -> None:
    record.time_unix_nano = time_ns(value)


def _set_severity(record: LogRecord, value: Any) -> None:
    number = SEVERITIES.get(value.strip().upper()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 24:
        raise BadEvent("severity must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL, or a number from 1 to 24")
    record.severity_number = number  # type: ignore[assignment]  # an enumeration that is one of the numbers
    if isinstance(value, str):
        record.severity_text = value.strip()


def _set_body(record: LogRecord, value: Any) -> None:
    fill(record.body, value, "body")


def _set_id(record: LogRecord, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise BadEvent("id must be text or a whole number")
    record.attributes.append(KeyValue(key=EVENT_ID))
    record.attributes[-1].value.string_value = text_of(str(value), "id")


def _set_trace_id(record: LogRecord, value: Any) -> None:
    record.trace_id = _hexadecimal(value, 16, "trace_id")


def _set_span_id(record: LogRecord, value: Any) -> None:
    record.span_id = _hexadecimal(value, 8, "span_id")


def _hexadecimal(value: Any, size: int, field: str) -> bytes:
    try:
        found = binascii.unhexlify(value) if isinstance(value, str) else b""
    except ValueError:  # binascii.Error, and text that is not ASCII
        found = b""
    if len(found) != size or not any(found):
        raise BadEvent(f"{field} must be {2 * size} hexadecimal digits, not all of them zero")
    return found


_ENVELOPE: Final[Mapping[str, Callable[[LogRecord, Any], None]]] = {
    "time": _set_time,
    "severity": _set_severity,
    "body": _set_body,
    "id": _set_id,
    "trace_id": _set_trace_id,
    "span_id": _set_span_id,
}
