"""What the collector counted, as an OTLP metrics request of scope `auditlake.collector`."""

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.instruments import Histogram, Instrument, Labels
from collector.own_events import SCOPE
from collector.signals import METRICS

_DELTA: Final = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
_Key = tuple[Instrument, Labels]


def metrics_payload(
    node: str,
    sums: Mapping[_Key, float],
    histograms: Mapping[_Key, Histogram],
    gauges: Mapping[_Key, float],
    *,
    start_ns: int,
    now_ns: int,
) -> tuple[bytes, int]:
    """Return the request and the number of its data points.

    `sums` and `histograms` are deltas from `start_ns` to `now_ns`; those of nothing are left out.
    """
    message = METRICS.request()
    resource = message.resource_metrics.add()
    for key, value in (("service.name", "auditlake"), ("service.instance.id", node)):
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_metrics.add()
    scope.scope.name = SCOPE
    metrics = _Metrics(scope.metrics, start_ns, now_ns)
    for (instrument, labels), histogram in histograms.items():
        if not histogram.count:
            continue
        point = metrics.point(instrument, "histogram", labels)
        point.count, point.sum = histogram.count, histogram.total
        point.min, point.max = histogram.smallest, histogram.largest
        point.explicit_bounds.extend(histogram.bounds)
        point.bucket_counts.extend(histogram.counts)
    for kind, values in (("sum", sums), ("gauge", gauges)):
        for (instrument, labels), number in values.items():
            if number or kind == "gauge":
                point = metrics.point(instrument, kind, labels)
                if isinstance(number, int):
                    point.as_int = number
                else:
                    point.as_double = number
    return message.SerializeToString(), metrics.points


class _Metrics:
    """Adds data points, those of one instrument to one metric."""

    def __init__(self, metrics: Any, start_ns: int, now_ns: int) -> None:
        self._metrics = metrics
        self._start_ns = start_ns
        self._now_ns = now_ns
        self._data: dict[Instrument, Any] = {}
        self.points = 0

    def point(self, instrument: Instrument, kind: str, labels: Labels) -> Any:
        """Return a new data point; `kind` is the field of OTLP's Metric that holds it."""
        data = self._data.get(instrument)
        if data is None:
            data = self._data[instrument] = getattr(self._metrics.add(name=instrument.name, unit=instrument.unit), kind)
            if kind != "gauge":
                data.aggregation_temporality = _DELTA
            if kind == "sum":
                data.is_monotonic = True
        point = data.data_points.add(time_unix_nano=self._now_ns)
        if kind != "gauge":
            point.start_time_unix_nano = self._start_ns
        for key, value in labels:
            point.attributes.add(key=key).value.string_value = value
        self.points += 1
        return point
