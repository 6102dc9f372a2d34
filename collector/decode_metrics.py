"""Data points → rows of the table `metrics` (opentelemetry-proto 1.11, metrics.proto)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from collector.anyvalue import as_text, read_attributes, read_texts
from collector.columns import INT64_MAX, MapColumn, times_column
from collector.dialects.points import read_point
from collector.dialects.record import Fields
from collector.groups import Groups, Resource, Scope
from collector.rows import Batch, Numbers, RunIndex, clamped, field_columns, is_absurd, shared_columns
from collector.signals import Message
from storage.schema import METRIC_CANONICAL, METRIC_EVIDENCE, ORIGIN_OF_RECORD
from storage.wal import Receipt

_MAPS: Final = ("metric_metadata", "attributes")
_SHARED: Final = {name for name, _ in ORIGIN_OF_RECORD} | {"time", "start_time", *_MAPS}
_OWN: Final = tuple(name for name, _ in METRIC_EVIDENCE if name not in _SHARED)
_CANONICAL: Final = tuple(name for name, _ in METRIC_CANONICAL)
_TEMPORALITY: Final = {1: "delta", 2: "cumulative"}


class MetricRows:
    """Rows under construction."""

    def __init__(self, groups: Groups, runs: RunIndex) -> None:
        self._groups = groups
        self._runs = runs
        self._fields: list[Fields] = []
        self._flagged: list[bool] = []
        self._metadata = MapColumn()
        self._attributes = MapColumn()
        self._numbers = Numbers()
        self._redactions: dict[int, Sequence[Receipt]] = {}

    def __len__(self) -> int:
        return len(self._fields)

    def add_batch(self, message: Message, batch: Batch) -> None:
        """Append the data points of an export request, in its order."""
        begin = len(self)
        for of_resource in message.resource_metrics:
            resource = self._groups.resource(of_resource.resource, of_resource.schema_url)
            for of_scope in of_resource.scope_metrics:
                scope = self._groups.scope(of_scope.scope, of_scope.schema_url)
                for metric in of_scope.metrics:
                    self._add_metric(metric, resource, scope, batch)
        self._redactions |= {begin + index: found for index, found in batch.redactions.items() if index < len(self) - begin}

    def _add_metric(self, metric: Message, resource: Resource, scope: Scope, batch: Batch) -> None:
        kind = metric.WhichOneof("data")
        if kind is None:
            return
        data = getattr(metric, kind)
        metadata = read_attributes(metric.metadata)
        described: Fields = {
            "metric_name": metric.name or None,
            "description": metric.description or None,
            "unit": metric.unit or None,
            "type": kind,
            "temporality": _TEMPORALITY.get(getattr(data, "aggregation_temporality", 0)),
            "monotonic": data.is_monotonic if kind == "sum" else None,
        }
        read = _READERS[kind]
        for point in data.data_points:
            attributes = read_texts(point.attributes)
            self._metadata.add(metadata)
            self._attributes.add_texts(attributes)
            self._add_point({**resource.fields, **read_point(metric.name, attributes), **described, **read(point)}, point, batch)
            self._numbers.add(resource.number, scope.number, batch.number)

    def _add_point(self, fields: Fields, point: Message, batch: Batch) -> None:
        time_ns, start_ns = point.time_unix_nano, point.start_time_unix_nano
        flagged = time_ns > INT64_MAX or is_absurd(time_ns, batch.received_ns) or start_ns > time_ns
        fields["time_ns"] = clamped(time_ns)
        fields["start_ns"] = clamped(start_ns) or None  # 0 is "unknown" here
        fields["flags"] = point.flags
        if batch.tenant is not None:
            fields["tenant"] = batch.tenant
        run_id = fields.get("run_id")
        if run_id is not None and not batch.own:
            effective_ns = batch.received_ns if flagged else time_ns
            self._runs.seen(None, run_id, effective_ns, effective_ns)
        self._fields.append(fields)
        self._flagged.append(flagged)

    def columns(self) -> dict[str, pa.Array]:
        """Return all columns but those that number the rows of an entry."""
        columns = field_columns("metrics", (*_OWN, *_CANONICAL), self._fields)
        columns["time"], columns["start_time"] = times_column(columns["time_ns"]), times_column(columns["start_ns"])
        columns["metric_metadata"], columns["attributes"] = self._metadata.to_arrow(), self._attributes.to_arrow()
        columns["clock_flagged"] = pa.array(self._flagged, pa.bool_())
        return columns | shared_columns(self._groups, self._numbers, self._redactions)


def _number(point: Message) -> Fields:
    fields: Fields = {"exemplars": _exemplars(point)}
    kind = point.WhichOneof("value")
    if kind == "as_int":
        fields["value"], fields["value_int"] = float(point.as_int), point.as_int
    elif kind == "as_double":
        fields["value"] = point.as_double
    return fields


def _histogram(point: Message) -> Fields:
    return {
        **_totals(point),
        "bucket_bounds": list(point.explicit_bounds),
        "bucket_counts": list(point.bucket_counts),
        "exemplars": _exemplars(point),
    }


def _exponential(point: Message) -> Fields:
    fields: Fields = {
        **_totals(point),
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
        "exemplars": _exemplars(point),
    }
    for side in ("positive", "negative"):
        if point.HasField(side):
            buckets = getattr(point, side)
            fields[f"{side}_offset"], fields[f"{side}_counts"] = buckets.offset, list(buckets.bucket_counts)
    return fields


def _summary(point: Message) -> Fields:
    quantiles = [{"quantile": value.quantile, "value": value.value} for value in point.quantile_values]
    return {"count": point.count, "sum": point.sum, "quantiles": quantiles}


def _totals(point: Message) -> Fields:
    return {"count": point.count, **{name: getattr(point, name) for name in ("sum", "min", "max") if point.HasField(name)}}


def _exemplars(point: Message) -> list[dict[str, Any]] | None:
    return [_exemplar(exemplar) for exemplar in point.exemplars] or None


def _exemplar(exemplar: Message) -> dict[str, Any]:
    kind = exemplar.WhichOneof("value")
    return {
        "time_ns": clamped(exemplar.time_unix_nano),
        "value": None if kind is None else float(getattr(exemplar, kind)),
        "value_int": exemplar.as_int if kind == "as_int" else None,
        "trace_id": exemplar.trace_id.hex() or None,
        "span_id": exemplar.span_id.hex() or None,
        "filtered_attributes": [(key, as_text(value)) for key, value in read_attributes(exemplar.filtered_attributes).items()],
    }


_READERS: Final[Mapping[str, Callable[[Message], Fields]]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
