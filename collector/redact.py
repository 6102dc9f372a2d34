"""The walk over an OTLP message: every string of every field is cleaned in place before anything touches a disk.

Most texts repeat, so the hot path is one lookup a text. What the redactor does not know yet is collected, cleaned in one go
and put in place afterwards. A test derives every string and bytes field from the protocol's descriptors and proves that none
is forgotten, so a field of a newer protocol version cannot slip through.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from collector.admission import data_points
from collector.signals import LOGS, TRACES, Message, Signal

SLICE_RECORDS: Final = 64
"""Records between two chances for other requests: an audit event never waits for a whole bulk request."""

KNOWN_KEYS: Final = 20_000
"""Attribute keys remembered as clean; more than any sane fleet uses."""

SCANNED_DIGITS: Final = 12
"""Whole numbers from this many digits on are scanned as text: card and account numbers are sent as numbers, too."""

_SCANNED_FROM: Final = 10 ** (SCANNED_DIGITS - 1)
_WITHHELD: Final = "WITHHELD"
Item = tuple[str, str | None]


class CleanedText(Protocol):
    """One cleaned text: what may be stored, and entity → number found."""

    @property
    def text(self) -> str: ...
    @property
    def counts(self) -> Mapping[str, int]: ...


class _Unseen:
    """Stands for a key that was not looked at yet."""

    text = ""
    counts: Mapping[str, int] = {}


_UNSEEN: Final = _Unseen()


class Cleaner(Protocol):
    """What the walk needs of `redaction.redactor.Redactor`."""

    def lookup(self, text: str, key: str | None) -> CleanedText | None: ...
    def blocked(self, key: str) -> CleanedText | None: ...
    async def clean(self, items: Sequence[Item]) -> Sequence[CleanedText]: ...


@dataclass(slots=True, kw_only=True)
class Findings:
    """Entity counts by record index (document order), and the number of withheld values."""

    by_record: dict[int, dict[str, int]] = field(default_factory=dict)
    withheld: int = 0

    def add(self, records: range, counts: Mapping[str, int]) -> None:
        """Count `counts` on each of `records`: what stands in a resource or scope concerns all of its records."""
        self.withheld += counts.get(_WITHHELD, 0)
        for index in records:
            found = self.by_record.setdefault(index, {})
            for entity, number in counts.items():
                found[entity] = found.get(entity, 0) + number


class Walker:
    """Cleans whole requests. Remembers which attribute keys are clean, for as long as the policy is the same."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._keys: dict[str, CleanedText | None] = {}  # clean attribute key → what stands for its values when they are blocked

    async def clean(self, signal: Signal, message: Message) -> Findings:
        """Clean `message` in place and return what was found; lets other tasks run between slices of a long request."""
        walk = _Walk(self._cleaner, self._keys)
        for _ in walk.steps(signal, message):
            await asyncio.sleep(0)
        if walk.pending:
            items = list(dict.fromkeys((slot.text, slot.key) for slot in walk.pending))
            cleaned = dict(zip(items, await self._cleaner.clean(items), strict=True))
            walk.put_in_place(cleaned)
        walk.separate_keys()
        if len(self._keys) > KNOWN_KEYS:
            self._keys.clear()
        return walk.findings


@dataclass(slots=True)
class _Slot:
    """A text that the redactor did not know yet, and how its cleaned form is put in place."""

    text: str
    key: str | None
    records: range
    put: Callable[[str], None]


class _Walk:
    """One walk over one message."""

    def __init__(self, cleaner: Cleaner, keys: dict[str, CleanedText | None]) -> None:
        self._lookup = cleaner.lookup
        self._blocked = cleaner.blocked
        self._keys = keys
        self._records = range(0)  # those that the field under the cursor concerns
        self._changed: dict[int, Any] = {}  # attribute lists with cleaned keys, by identity
        self.pending: list[_Slot] = []
        self.findings = Findings()

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

    def put_in_place(self, cleaned: Mapping[Item, CleanedText]) -> None:
        """Put the cleaned forms of all pending texts in place."""
        for slot in self.pending:
            self._records = slot.records
            self._apply(cleaned[slot.text, slot.key], slot.text, slot.put)

    def separate_keys(self) -> None:
        """Give keys that became equal by cleaning the suffixes #2, #3 …, so that no value replaces another."""
        for attributes in self._changed.values():
            seen: dict[str, int] = {}
            for pair in attributes:
                key = pair.key
                number = seen[key] = seen.get(key, 0) + 1
                if number > 1:
                    pair.key = f"{key}#{number}"

    def _groups(
        self, resources: Any, scopes_field: str, records_field: str, walk: Callable[[Any], None], width: Callable[[Any], int] = lambda _: 1
    ) -> Iterator[None]:
        start = walked = 0
        for group in resources:
            scopes = getattr(group, scopes_field)
            widths = [[width(record) for record in getattr(scope, records_field)] for scope in scopes]
            self._records = range(start, start + sum(map(sum, widths)))
            self._resource(group)
            for scope, scope_widths in zip(scopes, widths, strict=True):
                self._records = range(start, start + sum(scope_widths))
                self._scope(scope)
                for record, record_width in zip(getattr(scope, records_field), scope_widths, strict=True):
                    self._records = range(start, start + record_width)
                    start += record_width
                    walk(record)
                    walked += record_width
                    if walked >= SLICE_RECORDS:
                        walked = 0
                        yield

    def _resource(self, group: Message) -> None:
        self._field(group, "schema_url")
        self._attributes(group.resource.attributes)
        for reference in group.resource.entity_refs:
            self._field(reference, "schema_url")
            self._field(reference, "type")
            for keys in (reference.id_keys, reference.description_keys):
                for index, key in enumerate(keys):
                    self._text(key, None, partial(keys.__setitem__, index))

    def _scope(self, group: Message) -> None:
        self._field(group, "schema_url")
        self._field(group.scope, "name")
        self._field(group.scope, "version")
        self._attributes(group.scope.attributes)

    def _span(self, span: Message) -> None:
        self._field(span, "name")
        self._field(span, "trace_state")
        if span.HasField("status"):
            self._field(span.status, "message")
        self._attributes(span.attributes)
        for event in span.events:
            self._field(event, "name")
            self._attributes(event.attributes)
        for link in span.links:
            self._field(link, "trace_state")
            self._attributes(link.attributes)

    def _log_record(self, record: Message) -> None:
        self._field(record, "event_name")
        self._field(record, "severity_text")
        if record.HasField("body"):
            self._value(record.body, None)
        self._attributes(record.attributes)

    def _metric(self, metric: Message) -> None:
        for name in ("name", "description", "unit"):
            self._field(metric, name)
        self._attributes(metric.metadata)
        first = self._records.start
        for index, point in enumerate(data_points(metric)):
            self._records = range(first + index, first + index + 1)
            self._attributes(point.attributes)
            for exemplar in getattr(point, "exemplars", ()):
                self._attributes(exemplar.filtered_attributes)

    def _attributes(self, attributes: Any) -> None:
        """Clean a list of KeyValue: the hot loop; strings whose key and text are known cost one lookup."""
        lookup, keys = self._lookup, self._keys
        for pair in attributes:
            key = pair.key
            blocked = keys.get(key, _UNSEEN)
            if blocked is _UNSEEN:
                blocked = self._key(pair, key, attributes)
            if pair.key_strindex:
                pair.key_strindex = 0
            value = pair.value
            text = value.string_value
            if not text:
                if blocked is None:
                    self._value(value, key)
                else:
                    self._block(value, blocked)
                continue
            cleaned = lookup(text, key)
            if cleaned is None:
                self.pending.append(_Slot(text, key, self._records, partial(setattr, value, "string_value")))
            elif cleaned.counts or cleaned.text != text:
                self.findings.add(self._records, cleaned.counts)
                value.string_value = cleaned.text

    def _key(self, pair: Message, key: str, attributes: Any) -> CleanedText | None:
        """Clean an attribute key that is not known to be clean; returns what stands for its values when they are blocked."""
        blocked = self._blocked(key)
        cleaned = self._lookup(key, None)
        if cleaned is not None and cleaned.text == key and not cleaned.counts:
            self._keys[key] = blocked
            return blocked

        def rename(text: str) -> None:
            pair.key = text
            self._changed[id(attributes)] = attributes

        self._text(key, None, rename)
        return blocked

    def _block(self, value: Message, blocked: CleanedText) -> None:
        """Replace a value under a blocked key, whatever its type; an absent value stays absent."""
        if value.WhichOneof("value") is not None:
            value.string_value = blocked.text
            self.findings.add(self._records, blocked.counts)

    def _value(self, value: Message, key: str | None) -> None:
        """Clean an AnyValue of any type; leaves of arrays and lists are cleaned with the nearest key."""
        kind = value.WhichOneof("value")
        if kind is None:
            return
        if kind == "string_value":
            self._text(value.string_value, key, partial(setattr, value, "string_value"))
        elif kind == "kvlist_value":
            self._attributes(value.kvlist_value.values)
        elif kind == "array_value":
            for item in value.array_value.values:
                self._value(item, key)
        elif kind == "bytes_value":
            self._bytes(value, key)
        elif kind in {"int_value", "double_value"}:
            self._number(value, kind, key)
        elif kind == "string_value_strindex":  # points into a table of strings that only profiles have
            value.ClearField(kind)

    def _number(self, value: Message, kind: str, key: str | None) -> None:
        number = getattr(value, kind)
        if not _SCANNED_FROM <= abs(number) < 1e300 or number != int(number):
            return
        text = str(int(number))

        def replace(cleaned: str) -> None:
            if cleaned != text:
                value.string_value = cleaned

        self._text(text, key, replace)

    def _bytes(self, value: Message, key: str | None) -> None:
        data = value.bytes_value
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:  # not text, or text in another encoding: nobody could look into it
            value.string_value = f"<BLOB:bytes:{len(data)}:{hashlib.sha256(data).hexdigest()}>"
        elif text:
            self._text(text, key, lambda cleaned: setattr(value, "bytes_value", cleaned.encode()))

    def _field(self, holder: Message, name: str) -> None:
        text = getattr(holder, name)
        if not text:
            return
        cleaned = self._lookup(text, None)
        if cleaned is None or cleaned.counts or cleaned.text != text:
            self._text(text, None, partial(setattr, holder, name))

    def _text(self, text: str, key: str | None, put: Callable[[str], None]) -> None:
        cleaned = self._lookup(text, key)
        if cleaned is None:
            self.pending.append(_Slot(text, key, self._records, put))
        else:
            self._apply(cleaned, text, put)

    def _apply(self, cleaned: CleanedText, text: str, put: Callable[[str], None]) -> None:
        if cleaned.counts:
            self.findings.add(self._records, cleaned.counts)
        if cleaned.text != text:
            put(cleaned.text)
