"""The walk over an OTLP message: every string of every field, and what each belongs to.

A test derives every string and bytes field from the protocol's descriptors and proves that none is forgotten, so a field of a newer
protocol version cannot slip through.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from collector.admission import data_points
from collector.cleaning import Capture, Cleaner, Redactor
from collector.cursor import At
from collector.dialects.names import RESOURCE
from collector.findings import Place
from collector.leaves import plain_text
from collector.signals import LOGS, TRACES, Message, Signal
from collector.values import SLICE_SECONDS, Values

SLICE_RECORDS: Final = 64
"""Records, or time, between two chances for other requests: an audit event never waits for a whole bulk request."""

RECORD: Final = Place(None, "")
"""Where the attributes of a span, log record or data point stand."""
_RESOURCE: Final = Place(None, "resource.")
_SCOPE: Final = Place(None, "scope.")
_EVENTS: Final = Place(None, "events[].")
_LINKS: Final = Place(None, "links[].")
_METADATA: Final = Place(None, "metric.metadata.")
_EXEMPLARS: Final = Place(None, "exemplars[].")
_BODY: Final = Place(None, "body")
_SPAN_IDS: Final = tuple((name, Place(None, name)) for name in ("trace_id", "span_id", "parent_span_id"))
_IDS: Final = _SPAN_IDS[:2]
_LINK_IDS: Final = tuple((name, Place(_LINKS, name)) for name, _ in _IDS)
_EXEMPLAR_IDS: Final = tuple((name, Place(_EXEMPLARS, name)) for name, _ in _IDS)
_TENANT_KEYS: Final = RESOURCE["tenant"][1]
_ENVIRONMENT_KEYS: Final = RESOURCE["environment"][1]
_FIELDS: Final = {
    name: Place(None, label)
    for name, label in (
        ("name", "name"),
        ("trace_state", "trace_state"),
        ("message", "status.message"),
        ("event_name", "event.name"),
        ("severity_text", "severity_text"),
        ("description", "metric.description"),
        ("unit", "metric.unit"),
    )
}


class Walk:
    """One walk over one message. `records` has the attributes of its records, in document order, when `keep_records`.

    Without `captures` all content is stored, whosever it is. `tenant` is that of the sender's credentials, None: the resources say it.
    """

    def __init__(self, redactor: Redactor, values: Values, *, captures: bool, keep_records: bool, tenant: str | None = None) -> None:
        self.values = values
        self.records: list[Any] = []
        self._redactor = redactor
        self._captures = captures
        self._tenant = tenant
        self._keep_records = keep_records
        self._subject_keys = redactor.subject_keys
        self._cleaners: dict[str, Cleaner] = {}
        self._group = At(range(0), redactor, None)  # the resource around the cursor
        self._resource_attributes: Iterable[Message] = ()

    def steps(self, signal: Signal, message: Message) -> Iterator[None]:
        """Walk the whole message; yields after every slice."""
        if signal is TRACES:
            yield from self._groups(message.resource_spans, "scope_spans", "spans", self._span)
        elif signal is LOGS:
            yield from self._groups(message.resource_logs, "scope_logs", "log_records", self._log_record)
        else:
            yield from self._groups(
                message.resource_metrics, "scope_metrics", "metrics", self._metric, lambda metric: len(data_points(metric))
            )
        while self.values.long:
            yield from self.values.long.popleft()

    def _groups(
        self, resources: Any, scopes_field: str, records_field: str, walk: Callable[[Any], None], width: Callable[[Any], int] = lambda _: 1
    ) -> Iterator[None]:
        start = walked = 0
        due = time.perf_counter() + SLICE_SECONDS
        for group in resources:
            scopes = getattr(group, scopes_field)
            widths = [[width(record) for record in getattr(scope, records_field)] for scope in scopes]
            self._enter(group.resource.attributes, range(start, start + sum(map(sum, widths))))
            self._resource(group)
            for scope, scope_widths in zip(scopes, widths, strict=True):
                self._at(range(start, start + sum(scope_widths)))
                self._scope(scope)
                for record, record_width in zip(getattr(scope, records_field), scope_widths, strict=True):
                    self._at(range(start, start + record_width))
                    start += record_width
                    walk(record)
                    walked += record_width
                    if walked >= SLICE_RECORDS or time.perf_counter() > due:
                        walked = 0
                        yield
                        due = time.perf_counter() + SLICE_SECONDS

    def _enter(self, attributes: Any, records: range) -> None:
        """Come to a resource: it decides how content is captured, and whose data its records are unless they say so themselves."""
        capture = self._capture(attributes)
        subject = _first(attributes, self._subject_keys) if self._subject_keys else None
        self._group = self.values.at = At(records, self._cleaner(subject), capture)

    def _capture(self, attributes: Any) -> Capture | None:
        if not self._captures:
            return None
        tenant = _first(attributes, _TENANT_KEYS) if self._tenant is None else self._tenant
        return self._redactor.capture(tenant, _first(attributes, _ENVIRONMENT_KEYS))

    def _at(self, records: range) -> None:
        """Come to what belongs to the resource alone, or to a record of which is not known yet whose it is."""
        _, cleaner, capture = self._group
        self.values.at = At(records, cleaner, capture)

    def _of(self, attributes: Any) -> None:
        """Come to a record: whose data it is stands in its attributes, before they are cleaned, else in its resource."""
        if self._keep_records:
            self.records.append(attributes)
        if self._subject_keys and (subject := _first(attributes, self._subject_keys)) is not None:
            records, _, capture = self.values.at
            self.values.at = At(records, self._cleaner(subject), capture)

    def _cleaner(self, subject: str | None) -> Cleaner:
        if not self._subject_keys:
            return self._redactor
        key = subject or ""
        known = self._cleaners.get(key)
        if known is None:
            known = self._cleaners[key] = self._redactor.for_subject(subject)
        return known

    def _resource(self, group: Message) -> None:
        values = self.values
        values.field(group, "schema_url", Place(_RESOURCE, "schema_url"))
        values.attributes(group.resource.attributes, _RESOURCE)
        for reference in group.resource.entity_refs:
            base = Place(_RESOURCE, "entity_refs[].")
            values.field(reference, "schema_url", Place(base, "schema_url"))
            values.field(reference, "type", Place(base, "type"))
            for name in ("id_keys", "description_keys"):
                keys = getattr(reference, name)
                for index, key in enumerate(keys):
                    values.text(key, None, Place(base, f"{name}[]"), _item_setter(keys, index))

    def _scope(self, group: Message) -> None:
        values = self.values
        values.field(group, "schema_url", Place(_SCOPE, "schema_url"))
        values.field(group.scope, "name", Place(_SCOPE, "name"))
        values.field(group.scope, "version", Place(_SCOPE, "version"))
        values.attributes(group.scope.attributes, _SCOPE)

    def _span(self, span: Message) -> None:
        values = self.values
        self._of(span.attributes)
        values.identifiers(span, _SPAN_IDS)
        values.field(span, "name", _FIELDS["name"])
        values.field(span, "trace_state", _FIELDS["trace_state"])
        if span.HasField("status"):
            values.field(span.status, "message", _FIELDS["message"])
        values.attributes(span.attributes, RECORD)
        if span.events:
            values.each(span.events, self._event)
        if span.links:
            values.each(span.links, self._link)

    def _event(self, event: Message) -> None:
        self.values.field(event, "name", Place(_EVENTS, "name"))
        self.values.attributes(event.attributes, _EVENTS)

    def _link(self, link: Message) -> None:
        self.values.identifiers(link, _LINK_IDS)
        self.values.field(link, "trace_state", Place(_LINKS, "trace_state"))
        self.values.attributes(link.attributes, _LINKS)

    def _log_record(self, record: Message) -> None:
        values = self.values
        self._of(record.attributes)
        values.identifiers(record, _IDS)
        mode = None if values.at.capture is None else values.at.capture.body_mode(_event_name(record))
        for name in ("event_name", "severity_text"):
            values.field(record, name, _FIELDS[name])
        if record.HasField("body"):
            if mode is None:
                values.value(record.body, None, _BODY)
            else:
                values.captured(record.body, None, _BODY, mode)
        values.attributes(record.attributes, RECORD)

    def _metric(self, metric: Message) -> None:
        values = self.values
        values.field(metric, "name", Place(None, "metric.name"))
        for name in ("description", "unit"):
            values.field(metric, name, _FIELDS[name])
        values.attributes(metric.metadata, _METADATA)
        values.each(list(enumerate(data_points(metric), values.at.records.start)), self._point)

    def _point(self, numbered: tuple[int, Message]) -> None:
        index, point = numbered
        self.values.at = At(range(index, index + 1), *self.values.at[1:])
        around = self.values.at
        self._of(point.attributes)
        self.values.attributes(point.attributes, RECORD)
        self.values.each(getattr(point, "exemplars", ()), self._exemplar)
        self.values.at = around

    def _exemplar(self, exemplar: Message) -> None:
        self.values.identifiers(exemplar, _EXEMPLAR_IDS)
        self.values.attributes(exemplar.filtered_attributes, _EXEMPLARS)


def separate_keys(lists: Iterable[Any]) -> None:
    """Give keys that became equal by cleaning the suffixes #2, #3 …, so that no value replaces another."""
    for attributes in lists:
        taken = {pair.key for pair in attributes}
        seen: set[str] = set()
        last: dict[str, int] = {}
        for pair in attributes:
            key = pair.key
            if key in seen:
                number = last.get(key, 1) + 1
                while f"{key}#{number}" in taken:
                    number += 1
                last[key] = number
                pair.key = f"{key}#{number}"
                taken.add(pair.key)
            seen.add(pair.key)


def _first(attributes: Iterable[Message], keys: Sequence[str]) -> str | None:
    """Return the text of the first of `keys` that has a value, as it was sent."""
    found: dict[str, str] = {}
    for pair in attributes:
        if pair.key in keys and (text := pair.value.string_value or plain_text(pair.value)):
            found[pair.key] = text
    return next((found[key] for key in keys if key in found), None)


def _event_name(record: Message) -> str:
    """Return the name of an event as the dialects read it: the attribute goes before the field, which may be a place in the source."""
    return _first(record.attributes, ("event.name",)) or str(record.event_name) or _first(record.attributes, ("event_name",)) or ""


def _item_setter(items: Any, index: int) -> Callable[[str], None]:
    def put(text: str) -> None:
        items[index] = text

    return put
