"""Spans → rows of the table `spans` (opentelemetry-proto 1.11, trace.proto)."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from collector import dialects
from collector.anyvalue import read_attributes, read_texts
from collector.columns import INT64_MAX, ListColumn, MapColumn, times_column
from collector.dialects.record import SAME_RUN, Fields, SpanView
from collector.groups import Groups, Resource, Scope
from collector.pricing import Pricer
from collector.rows import DAY_NS, YEAR_2000_NS, Batch, Numbers, RunIndex, clamped, field_columns, shared_columns
from collector.signals import Message
from storage.schema import CANONICAL, SPAN_EVENT, SPAN_EVIDENCE, SPAN_LINK
from storage.wal import Receipt

_TYPES: Final = dict(SPAN_EVIDENCE)
_SCALARS: Final = (
    "trace_id", "span_id", "parent_span_id", "trace_state", "flags", "name", "kind", "start_ns", "end_ns", "status_code",
    "status_message", "dropped_attributes_count", "dropped_events_count", "dropped_links_count",
)  # fmt: skip
_CANONICAL: Final = tuple(name for name, _ in CANONICAL)


class SpanRows:
    """Rows under construction."""

    def __init__(self, groups: Groups, runs: RunIndex, prices: Pricer) -> None:
        self._groups = groups
        self._runs = runs
        self._prices = prices
        self._scalars: list[tuple[Any, ...]] = []
        self._flagged: list[bool] = []
        self._attributes = MapColumn()
        self._events = ListColumn(pa.list_(SPAN_EVENT))
        self._links = ListColumn(pa.list_(SPAN_LINK))
        self._fields: list[Fields] = []
        self._numbers = Numbers()
        self._redactions: dict[int, Sequence[Receipt]] = {}

    def __len__(self) -> int:
        return len(self._scalars)

    def add_batch(self, message: Message, batch: Batch) -> None:
        """Append the spans of an export request, in its order."""
        begin = len(self)
        for of_resource in message.resource_spans:
            resource = self._groups.resource(of_resource.resource, of_resource.schema_url)
            for of_scope in of_resource.scope_spans:
                scope = self._groups.scope(of_scope.scope, of_scope.schema_url)
                for span in of_scope.spans:
                    self._add(span, resource, scope, batch)
        self._redactions |= {begin + index: found for index, found in batch.redactions.items() if index < len(self) - begin}

    def _add(self, span: Message, resource: Resource, scope: Scope, batch: Batch) -> None:
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        # absurd is what begins before 2000 or ends more than a day ahead: see `is_absurd`
        flagged = end < start or end > INT64_MAX or start < YEAR_2000_NS or end > batch.received_ns + DAY_NS
        trace_id, status = span.trace_id.hex(), span.status
        parent = span.parent_span_id.hex() or None
        self._scalars.append((
            trace_id, span.span_id.hex(), parent, span.trace_state or None, span.flags, span.name, span.kind,
            clamped(start) if flagged else start, clamped(end) if flagged else end, status.code, status.message or None,
            span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count,
        ))  # fmt: skip
        self._flagged.append(flagged)
        attributes = read_texts(span.attributes)
        self._attributes.add_texts(attributes)
        events = self._add_events(span) if span.events else ()
        view = SpanView(
            scope.name, span.name, attributes, resource.attributes, parent is None, status.code == 2, events, span.kind, status.message
        )
        fields = {**resource.fields, **dialects.read_span(view)}
        time_ns = batch.received_ns if flagged else start
        self._complete(fields, batch, time_ns, (end - start) / 1e6 if 0 < start <= end else None)
        self._join_links(span, trace_id, time_ns)
        run_id = fields["run_id"] = self._runs.identify(fields, trace_id, time_ns)
        if not batch.own:
            self._runs.seen(trace_id, run_id or trace_id, time_ns, time_ns if flagged else end)
        self._fields.append(fields)
        self._numbers.add(resource.number, scope.number, batch.number)

    def _complete(self, fields: Fields, batch: Batch, time_ns: int, latency_ms: float | None) -> None:
        if batch.tenant is not None:
            fields["tenant"] = batch.tenant
        if latency_ms is not None:
            fields.setdefault("latency_ms", latency_ms)
        self._prices.complete(fields, time_ns)

    def _add_events(self, span: Message) -> list[tuple[str, dict[str, str]]]:
        """Append the span's events; return them as the dialects read them."""
        self._pad(self._events)
        read = [(event.name, read_texts(event.attributes)) for event in span.events]
        rows = [
            ((clamped(event.time_unix_nano), event.name or None, event.dropped_attributes_count), attributes)
            for event, (_, attributes) in zip(span.events, read, strict=True)
        ]
        self._events.add(rows)
        return read

    def _join_links(self, span: Message, trace_id: str, time_ns: int) -> None:
        links = span.links
        if not links:
            return
        self._pad(self._links)
        rows = []
        for link in links:
            linked = link.trace_id.hex()
            counts = (linked or None, link.span_id.hex() or None, link.trace_state or None, link.flags, link.dropped_attributes_count)
            rows.append((counts, read_attributes(link.attributes)))
            if linked and linked != trace_id:
                self._runs.join(trace_id, f"trace:{linked}", SAME_RUN, time_ns)
        self._links.add(rows)

    def _pad(self, column: ListColumn) -> None:
        """Append empty rows up to the row that is being added."""
        column.fill(len(self._scalars) - 1)

    def columns(self) -> dict[str, pa.Array]:
        """Return all columns but those that number the rows of an entry."""
        for column in (self._events, self._links):
            column.fill(len(self))
        values = zip(*self._scalars, strict=True)
        columns = {name: pa.array(column, _TYPES[name]) for name, column in zip(_SCALARS, values, strict=True)}
        columns["start_time"], columns["end_time"] = times_column(columns["start_ns"]), times_column(columns["end_ns"])
        columns["attributes"] = self._attributes.to_arrow()
        columns["events"], columns["links"] = self._events.to_arrow(), self._links.to_arrow()
        columns["clock_flagged"] = pa.array(self._flagged, pa.bool_())
        columns |= shared_columns(self._groups, self._numbers, self._redactions)
        return columns | field_columns("spans", _CANONICAL, self._fields)
