"""Sealed rows, read again: the canonical columns that today's dialects and prices make of their evidence columns.

Dialects read attributes in the form in which they are stored (`collector.anyvalue.as_texts`), so a row holds everything that was read
when it was sealed, but for the tenant of the sender's token: a tenant that is known stays. A time beyond 64 bits is stored as the last
one that they hold; a latency that was made of it stays, too.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from collector import dialects
from collector.columns import INT64_MAX
from collector.dialects.names import read_resource
from collector.dialects.points import read_point
from collector.dialects.record import SAME_RUN, Fields, LogView, SpanView
from collector.pricing import Pricer
from collector.rows import RunIndex, field_columns
from storage.schema import CANONICAL

COLUMNS: Final = tuple(name for name, _ in CANONICAL)
VERSIONS: Final = frozenset({"dialect_version", "price_version"})
"""A row of which nothing else changed is not derived again."""
_EVIDENCE: Final = {
    "spans": (
        "trace_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status_code", "status_message", "attributes", "events",
        "links", "resource_attributes", "scope_name", "received_ns", "clock_flagged", "tenant", "latency_ms",
    ),
    "events": (
        "trace_id", "span_id", "time_ns", "event_name", "body", "attributes", "resource_attributes", "scope_name", "received_ns",
        "clock_flagged", "tenant",
    ),
    "metrics": ("metric_name", "time_ns", "attributes", "resource_attributes", "received_ns", "clock_flagged", "tenant"),
}  # fmt: skip
Row = Mapping[str, Any]


class Rereading:
    """The rows of one table, read again: their canonical columns, which of them changed, and what they say about their traces."""

    def __init__(self, table: str, rows: pa.Table, prices: Pricer) -> None:
        """`rows` are rows of `table` with their present canonical columns. Pure, but for `prices`."""
        self.index = RunIndex()
        self.times_ns: list[int] = []
        self._rows = rows
        read = _READERS[table]
        fields = []
        for row in rows.select([name for name in _EVIDENCE[table] if name in rows.column_names]).to_pylist(maps_as_pydicts="lossy"):
            made, time_ns = read(row, prices, self.index)
            fields.append(made)
            self.times_ns.append(time_ns)
        self.columns = field_columns("derivations", COLUMNS, fields)
        self.differences = {name: _differs(self._present(name), column) for name, column in self.columns.items()}
        changed = pa.repeat(pa.scalar(value=False), rows.num_rows)
        for name, difference in self.differences.items():
            if name not in VERSIONS:
                changed = pc.or_(changed, difference)
        self.changed = changed

    def _present(self, name: str) -> pa.Array:
        kind = self.columns[name].type
        column = self._rows[name] if name in self._rows.column_names else pa.nulls(self._rows.num_rows, kind)
        return (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).cast(kind)


def span_fields(row: Row, prices: Pricer, index: RunIndex) -> tuple[Fields, int]:
    """Return the canonical columns of a stored span, and its effective time; note in `index` what it says about its trace."""
    start, end, flagged, trace_id = row["start_ns"], row["end_ns"], row["clock_flagged"], row["trace_id"]
    resource = row["resource_attributes"] or {}
    events = [(event["name"] or "", event["attributes"] or {}) for event in row["events"] or ()]
    view = SpanView(
        row["scope_name"] or "", row["name"] or "", row["attributes"] or {}, resource, row["parent_span_id"] is None,
        row["status_code"] == 2, events, row["kind"] or 0, row["status_message"] or "",
    )  # fmt: skip
    fields = {**_of_resource(tuple(resource.items())), **dialects.read_span(view)}
    time_ns = row["received_ns"] if flagged else start
    if INT64_MAX in (start, end):
        fields.setdefault("latency_ms", row["latency_ms"])
    elif 0 < start <= end:
        fields.setdefault("latency_ms", (end - start) / 1e6)
    _complete(fields, row, prices, time_ns)
    for link in row["links"] or ():
        if link["trace_id"] and link["trace_id"] != trace_id:
            index.join(trace_id, f"trace:{link['trace_id']}", SAME_RUN, time_ns)
    _identify(fields, trace_id, index, time_ns, time_ns if flagged else end)
    return fields, time_ns


def log_fields(row: Row, prices: Pricer, index: RunIndex) -> tuple[Fields, int]:
    """The same of a stored log record."""
    attributes, resource = row["attributes"] or {}, row["resource_attributes"] or {}
    name = attributes.get("event.name") or row["event_name"] or attributes.get("event_name", "")
    view = LogView(row["scope_name"] or "", name, row["body"], attributes, resource, row["span_id"] is not None)
    fields = {**_of_resource(tuple(resource.items())), **dialects.read_log(view)}
    time_ns = row["received_ns"] if row["clock_flagged"] else row["time_ns"]
    _complete(fields, row, prices, time_ns)
    _identify(fields, row["trace_id"], index, time_ns, time_ns)
    return fields, time_ns


def point_fields(row: Row, _prices: Pricer, index: RunIndex) -> tuple[Fields, int]:
    """The same of a stored data point."""
    resource = row["resource_attributes"] or {}
    fields = {**_of_resource(tuple(resource.items())), **read_point(row["metric_name"] or "", row["attributes"] or {})}
    if row["tenant"] is not None:
        fields["tenant"] = row["tenant"]
    time_ns = row["received_ns"] if row["clock_flagged"] else row["time_ns"]
    if (run_id := fields.get("run_id")) is not None:
        index.seen(None, run_id, time_ns, time_ns)
    return fields, time_ns


def derivation(prices: Pricer) -> str:
    """Return which dialects and prices rows are read with: equal texts make the same of the same row."""
    return f"dialects {_dialects()}, {prices.version}"


def _complete(fields: Fields, row: Row, prices: Pricer, time_ns: int) -> None:
    if row["tenant"] is not None:
        fields["tenant"] = row["tenant"]
    prices.complete(fields, time_ns)


def _identify(fields: Fields, trace_id: str | None, index: RunIndex, first_ns: int, last_ns: int) -> None:
    run_id = fields["run_id"] = index.identify(fields, trace_id, first_ns)
    place = run_id or trace_id
    if place is not None:
        index.seen(trace_id, place, first_ns, last_ns)


_READERS: Final[Mapping[str, Callable[[Row, Pricer, RunIndex], tuple[Fields, int]]]] = {
    "spans": span_fields,
    "events": log_fields,
    "metrics": point_fields,
}


@cache
def _of_resource(attributes: tuple[tuple[str, str], ...]) -> Fields:
    return read_resource(dict(attributes))


@cache
def _dialects() -> str:
    """A digest of the code that reads."""
    digest = hashlib.sha256()
    for file in sorted(files("collector.dialects").iterdir(), key=lambda file: file.name):
        if file.name.endswith((".py", ".yaml")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _differs(present: pa.Array, made: pa.Array) -> pa.Array:
    """Where two columns are distinct; NULL equals NULL."""
    of_null = pc.xor(present.is_null(), made.is_null())
    return pc.or_(of_null, pc.fill_null(pc.not_equal(present, made), fill_value=False))
