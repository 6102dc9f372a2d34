"""Log records → rows of the table `events` (opentelemetry-proto 1.11, logs.proto)."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from collector import dialects
from collector.anyvalue import as_text, read_texts, read_value
from collector.columns import INT64_MAX, MapColumn, times_column
from collector.dialects.record import Fields, LogView
from collector.groups import Groups, Resource, Scope
from collector.pricing import Pricer
from collector.rows import Batch, Numbers, RunIndex, clamped, field_columns, is_absurd, shared_columns
from collector.signals import Message
from storage.schema import CANONICAL, EVENT_EVIDENCE
from storage.wal import Receipt

_TYPES: Final = dict(EVENT_EVIDENCE)
_SCALARS: Final = (
    "trace_id", "span_id", "flags", "time_ns", "observed_ns", "severity_number", "severity_text", "event_name", "body",
    "dropped_attributes_count",
)  # fmt: skip
_CANONICAL: Final = tuple(name for name, _ in CANONICAL)


class LogRows:
    """Rows under construction."""

    def __init__(self, groups: Groups, runs: RunIndex, prices: Pricer) -> None:
        self._groups = groups
        self._runs = runs
        self._prices = prices
        self._scalars: list[tuple[Any, ...]] = []
        self._flagged: list[bool] = []
        self._attributes = MapColumn()
        self._fields: list[Fields] = []
        self._numbers = Numbers()
        self._redactions: dict[int, Sequence[Receipt]] = {}

    def __len__(self) -> int:
        return len(self._scalars)

    def add_batch(self, message: Message, batch: Batch) -> None:
        """Append the log records of an export request, in its order."""
        begin = len(self)
        for of_resource in message.resource_logs:
            resource = self._groups.resource(of_resource.resource, of_resource.schema_url)
            for of_scope in of_resource.scope_logs:
                scope = self._groups.scope(of_scope.scope, of_scope.schema_url)
                for record in of_scope.log_records:
                    self._add(record, resource, scope, batch)
        self._redactions |= {begin + index: found for index, found in batch.redactions.items() if index < len(self) - begin}

    def _add(self, record: Message, resource: Resource, scope: Scope, batch: Batch) -> None:
        observed = record.observed_time_unix_nano
        time_ns = record.time_unix_nano or observed or batch.received_ns
        flagged = time_ns > INT64_MAX or is_absurd(time_ns, batch.received_ns)
        trace_id, span_id = record.trace_id.hex() or None, record.span_id.hex() or None
        sent = read_value(record.body)
        body = None if sent is None else as_text(sent)
        self._scalars.append((
            trace_id, span_id, record.flags, clamped(time_ns), clamped(observed) or None, record.severity_number,
            record.severity_text or None, record.event_name or None, body,
            record.dropped_attributes_count,
        ))  # fmt: skip
        self._flagged.append(flagged)
        attributes = read_texts(record.attributes)
        self._attributes.add_texts(attributes)
        name = attributes.get("event.name")  # where it stands it names the event; event_name may be a place in the source
        name = name or record.event_name or attributes.get("event_name", "")
        view = LogView(scope.name, name, body, attributes, resource.attributes, span_id is not None)
        fields = {**resource.fields, **dialects.read_log(view)}
        effective_ns = batch.received_ns if flagged else time_ns
        self._complete(fields, batch, effective_ns)
        run_id = fields["run_id"] = self._runs.identify(fields, trace_id, effective_ns)
        place = run_id or trace_id
        if place is not None and not batch.own:
            self._runs.seen(trace_id, place, effective_ns, effective_ns)
        self._fields.append(fields)
        self._numbers.add(resource.number, scope.number, batch.number)

    def _complete(self, fields: Fields, batch: Batch, time_ns: int) -> None:
        if batch.tenant is not None:
            fields["tenant"] = batch.tenant
        self._prices.complete(fields, time_ns)

    def columns(self) -> dict[str, pa.Array]:
        """Return all columns but those that number the rows of an entry."""
        values = zip(*self._scalars, strict=True)
        columns = {name: pa.array(column, _TYPES[name]) for name, column in zip(_SCALARS, values, strict=True)}
        columns["time"], columns["observed_time"] = times_column(columns["time_ns"]), times_column(columns["observed_ns"])
        columns["attributes"] = self._attributes.to_arrow()
        columns["clock_flagged"] = pa.array(self._flagged, pa.bool_())
        columns |= shared_columns(self._groups, self._numbers, self._redactions)
        return columns | field_columns("events", _CANONICAL, self._fields)
