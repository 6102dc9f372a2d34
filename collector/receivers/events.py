"""Plain events over HTTP: what anything that can send JSON can send, as the OTLP log records that they become (docs/events.md).

The body is one JSON object, an array of them, or one a line. A bad event costs itself alone: it is rejected by its place and the
reason, and the others are stored; when all are bad the request is.
"""

import codecs
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector.errors import Malformed, TooLarge, UnsupportedMedia
from collector.receivers.encoding import Encoding
from collector.receivers.plain_event import PlainEvent, Resource, read_event
from collector.receivers.plain_values import BadEvent, parse

SCOPE: Final = "auditlake-events"
"""Not `auditlake.…`: scopes of that form are our own processes', whose records are in no run."""
MAX_EVENTS: Final = 10_000
MAX_BYTES: Final = 8 << 20
"""Of a request, after decompression."""
TOLD_PROBLEMS: Final = 10
"""Bad events that an answer explains; the others are counted."""
REJECTED: Final = "the event cannot be read"


class EventsEncoding(Enum):
    """How events are written down, by their media type."""

    JSON = "application/json"
    LINES = "application/x-ndjson"


BodyEncoding = Encoding | EventsEncoding
"""What a body can be: OTLP, or plain events."""


class Events(NamedTuple):
    """The request that the good events make, and what is wrong with the others."""

    message: ExportLogsServiceRequest
    rejected: int
    problems: str


def events_encoding_of(content_type: str) -> EventsEncoding:
    """Return the encoding of a Content-Type header; parameters are ignored. Raises UnsupportedMedia."""
    try:
        return EventsEncoding(content_type.partition(";")[0].strip().lower())
    except ValueError:
        raise UnsupportedMedia(
            f"Content-Type must be {EventsEncoding.JSON.value} (curl --json sends it) or {EventsEncoding.LINES.value} for one event a line"
        ) from None


def read_events(body: bytes, encoding: EventsEncoding) -> Events:
    """Return the events in a body, in order; raises Malformed when there is no good one, TooLarge when there are too many."""
    body = body.removeprefix(codecs.BOM_UTF8)
    good: list[PlainEvent] = []
    problems: list[str] = []
    number = 0
    for number, (place, parsed) in enumerate(_lines(body) if encoding is EventsEncoding.LINES else _values(body), start=1):
        if number > MAX_EVENTS:
            raise TooLarge(f"there are more than {MAX_EVENTS} events: send several requests")
        try:
            if isinstance(parsed, BadEvent):
                raise parsed
            good.append(read_event(parsed))
        except BadEvent as error:
            problems.append(f"{place}: {error}")
    if not good:
        raise Malformed(_told(problems) if number else "there is no event in the body")
    return Events(_request(good), len(problems), _told(problems))


def _lines(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of each line that is not blank; lines may end with CR LF."""
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield f"line {number}", _parsed(line)


def _values(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the place and the value of the one event, or of each in an array."""
    if not body.strip():
        return
    value = _parsed(body)
    if not isinstance(value, list):
        yield "the event", value
        return
    for number, item in enumerate(value, start=1):
        yield f"event {number}", item


def _parsed(text: bytes) -> Any:
    """Return a JSON value, or the BadEvent that says why it is none."""
    try:
        return parse(text.decode())
    except UnicodeDecodeError:
        return BadEvent("no valid UTF-8")
    except BadEvent as error:
        return error


def _told(problems: list[str]) -> str:
    more = len(problems) - TOLD_PROBLEMS
    return "; ".join(problems[:TOLD_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")


def _request(events: list[PlainEvent]) -> ExportLogsServiceRequest:
    """Return the request; events of one resource stand together, else they keep their order."""
    message = ExportLogsServiceRequest()
    scopes: dict[Resource, Any] = {}
    for event in events:
        scope = scopes.get(event.resource)
        if scope is None:
            group = message.resource_logs.add()
            for key, value in event.resource:
                group.resource.attributes.add(key=key).value.string_value = value
            scope = scopes[event.resource] = group.scope_logs.add()
            scope.scope.name = SCOPE
        scope.log_records.append(event.record)
    return message
