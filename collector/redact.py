"""The walk over an OTLP message: every string of every field is cleaned in place before anything touches a disk.

Most texts repeat, so the hot path is one lookup a text. What the redactor does not know yet is collected, cleaned in one go
and put in place afterwards. A test derives every string and bytes field from the protocol's descriptors and proves that none
is forgotten, so a field of a newer protocol version cannot slip through.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from collector.admission import data_points
from collector.findings import Findings
from collector.signals import LOGS, TRACES, Message, Signal

SLICE_RECORDS: Final = 64
"""Records between two chances for other requests: an audit event never waits for a whole bulk request."""

KNOWN_KEYS: Final = 20_000
"""Attribute keys remembered as clean; more than any sane fleet uses."""

SLICE_ITEMS: Final = 512
"""Attributes, events, links or data points of one record between two such chances."""

SCANNED_DIGITS: Final = 7
"""Numbers from this many digits on may be scanned as text: social security, phone and card numbers are sent as numbers, too."""

_SCANNED_FROM: Final = 10 ** (SCANNED_DIGITS - 1)
_IDS: Final = ("trace_id", "span_id")
_SPAN_IDS: Final = (*_IDS, "parent_span_id")
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
    def may_hold(self, number: str, key: str | None) -> bool: ...
    async def clean(self, items: Sequence[Item]) -> Sequence[CleanedText]: ...


class Walker:
    """Cleans whole requests. Remembers which attribute keys are clean, for as long as the policy is the same.

    `id_key` keys what replaces ids that hold text: the same everywhere, so that what belonged together still does.
    """

    def __init__(self, cleaner: Cleaner, *, id_key: bytes) -> None:
        self._cleaner = cleaner
        self._id_key = id_key
        self._keys: dict[str, CleanedText | None] = {}  # clean attribute key → what stands for its values when they are blocked

    async def clean(self, signal: Signal, message: Message) -> Findings:
        """Clean `message` in place and return what was found; lets other tasks run between slices of a long request."""
        walk = _Walk(self._cleaner, self._keys, self._id_key)
        for _ in walk.steps(signal, message):
            await asyncio.sleep(0)
        if walk.pending:
            items = list(dict.fromkeys((slot.text, slot.key) for slot in walk.pending))
            cleaned = dict(zip(items, await self._cleaner.clean(items), strict=True))
            for _ in walk.put_in_place(cleaned):
                await asyncio.sleep(0)
        walk.separate_keys()
        if len(self._keys) > KNOWN_KEYS:
            self._keys.clear()
        return walk.findings


def _all(walk: Callable[[Any], None], items: Any) -> None:
    for item in items:
        walk(item)


@dataclass(slots=True)
class _Slot:
    """A text that the redactor did not know yet, and how its cleaned form is put in place."""

    text: str
    key: str | None
    records: range
    put: Callable[[str], None]


class _Walk:
    """One walk over one message."""

    def __init__(self, cleaner: Cleaner, keys: dict[str, CleanedText | None], id_key: bytes) -> None:
        self._lookup = cleaner.lookup
        self._blocked = cleaner.blocked
        self._may_hold = cleaner.may_hold
        self._id_key = id_key
        self._long: deque[Iterator[None]] = deque()  # what is too long to be walked at once, slice by slice
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
        while self._long:
            yield from self._long.popleft()

    def put_in_place(self, cleaned: Mapping[Item, CleanedText]) -> Iterator[None]:
        """Put the cleaned forms of all pending texts in place; yields after every slice."""
        for number, slot in enumerate(self.pending, 1):
            self._records = slot.records
            self._apply(cleaned[slot.text, slot.key], slot.text, slot.put)
            if number % SLICE_ITEMS == 0:
                yield

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
        self._ids(span, _SPAN_IDS)
        self._field(span, "name")
        self._field(span, "trace_state")
        if span.HasField("status"):
            self._field(span.status, "message")
        self._attributes(span.attributes)
        self._each(span.events, self._event)
        self._each(span.links, self._link)

    def _event(self, event: Message) -> None:
        self._field(event, "name")
        self._attributes(event.attributes)

    def _link(self, link: Message) -> None:
        self._ids(link, _IDS)
        self._field(link, "trace_state")
        self._attributes(link.attributes)

    def _log_record(self, record: Message) -> None:
        self._ids(record, _IDS)
        self._field(record, "event_name")
        self._field(record, "severity_text")
        if record.HasField("body"):
            self._value(record.body, None)
        self._attributes(record.attributes)

    def _metric(self, metric: Message) -> None:
        for name in ("name", "description", "unit"):
            self._field(metric, name)
        self._attributes(metric.metadata)
        self._each(list(enumerate(data_points(metric), self._records.start)), self._point)

    def _point(self, numbered: tuple[int, Message]) -> None:
        index, point = numbered
        self._records = range(index, index + 1)
        self._attributes(point.attributes)
        self._each(getattr(point, "exemplars", ()), self._exemplar)

    def _exemplar(self, exemplar: Message) -> None:
        self._ids(exemplar, _IDS)
        self._attributes(exemplar.filtered_attributes)

    def _each(self, items: Any, walk: Callable[[Any], None]) -> None:
        """Walk all of `items`: now, or later in slices when there are many."""
        if len(items) > SLICE_ITEMS:
            self._long.append(self._slices(items, partial(_all, walk)))
        else:
            _all(walk, items)

    def _slices(self, items: Any, walk: Callable[[Any], object]) -> Iterator[None]:
        records = self._records

        def steps() -> Iterator[None]:
            for start in range(0, len(items), SLICE_ITEMS):
                self._records = records
                walk(items[start : start + SLICE_ITEMS])
                yield

        return steps()

    def _attributes(self, attributes: Any, part: Any = None) -> None:
        """Clean a list of KeyValue, or a part of it: the hot loop; strings whose key and text are known cost one lookup."""
        if part is None and len(attributes) > SLICE_ITEMS:
            self._long.append(self._slices(attributes, partial(self._attributes, attributes)))
            return
        lookup, keys = self._lookup, self._keys
        for pair in attributes if part is None else part:
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

    def _ids(self, holder: Message, names: tuple[str, ...]) -> None:
        """Look into ids that are text: nearly all are random bytes and cost one check."""
        for name in names:
            data = getattr(holder, name)
            if data and data.isascii():
                self._text_id(holder, name, data)

    def _text_id(self, holder: Message, name: str, data: bytes) -> None:
        text = data.strip(b"\0").decode("ascii")
        if text.isprintable() and text:
            size_bytes = min(len(data), hashlib.blake2b.MAX_DIGEST_SIZE)
            replacement = partial(hashlib.blake2b, data, digest_size=size_bytes, key=self._id_key)
            self._text(text, None, lambda _: setattr(holder, name, replacement().digest()))

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
            self._each(value.array_value.values, lambda item: self._value(item, key))
        elif kind == "bytes_value":
            self._bytes(value, key)
        elif kind in {"int_value", "double_value"}:
            self._number(value, kind, key)
        elif kind == "string_value_strindex":  # points into a table of strings that only profiles have
            value.ClearField(kind)

    def _number(self, value: Message, kind: str, key: str | None) -> None:
        number = getattr(value, kind)
        if not _SCANNED_FROM <= abs(number) < 1e300:
            return
        text = str(int(number))  # a fraction is no part of what people call a number
        if not self._may_hold(text, key):
            return

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
