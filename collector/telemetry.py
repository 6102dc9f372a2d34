"""The collector's own numbers, written to the lake like anyone's: acknowledgement latency, records, bytes, refusals, redaction time.

Delta metrics of scope `auditlake.collector`, at most one batch an interval and none when nothing happened, so that the
collector never feeds on itself. The latency histogram is the source of the `audit_writes` view.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.metrics.v1 import metrics_pb2

from collector.own_events import SCOPE, WithheldEvents
from collector.signals import METRICS

ACK_BOUNDS_SECONDS: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_DELTA: Final = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """One request that was taken: `seconds` from request in to durable."""

    signal: str
    audit: bool
    records: int
    rejected: int
    size_bytes: int
    redaction_seconds: float
    seconds: float


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(ACK_BOUNDS_SECONDS) + 1))
    total: float = 0.0
    smallest: float = float("inf")
    largest: float = 0.0

    def record(self, seconds: float) -> None:
        self.counts[bisect_left(ACK_BOUNDS_SECONDS, seconds)] += 1
        self.total += seconds
        self.smallest = min(self.smallest, seconds)
        self.largest = max(self.largest, seconds)


class Telemetry:
    """Counts until `take`; belongs to one event loop."""

    def __init__(self, node: str, start_ns: int) -> None:
        self._node = node
        self._start_ns = start_ns
        self._ack: dict[str, _Histogram] = {}
        self._sums: Counter[tuple[str, Attributes]] = Counter()
        self._redaction_seconds = 0.0
        self.withheld_events = WithheldEvents()

    def acknowledged(self, request: Acknowledged) -> None:
        """Count a request that was taken."""
        signal: Attributes = (("signal", request.signal),)
        self._ack.setdefault("audit" if request.audit else "bulk", _Histogram()).record(request.seconds)
        self._sums["auditlake.requests", signal] += 1
        self._sums["auditlake.records", signal] += request.records
        self._sums["auditlake.bytes", signal] += request.size_bytes
        self._sums["auditlake.records.rejected", signal] += request.rejected
        self._redaction_seconds += request.redaction_seconds

    def deduplicated(self, records: int) -> None:
        """Count the records of an exact resend."""
        self._sums["auditlake.records.deduplicated", ()] += records

    def withheld(self, values: Mapping[str, int]) -> None:
        """Count values that could not be checked, by reason."""
        for reason, number in values.items():
            self._sums["auditlake.redaction.withheld", (("reason", reason),)] += number
        self.withheld_events.add(values)

    def refused(self, reason: str) -> None:
        """Count a request of which nothing was taken."""
        self._sums["auditlake.requests.refused", (("reason", reason),)] += 1

    def take(self, now_ns: int) -> tuple[bytes, int] | None:
        """Return what was counted since the last call as an OTLP metrics payload and its data points; None when nothing happened."""
        if not self._ack and not self._sums:
            return None
        message = METRICS.request()
        resource = message.resource_metrics.add()
        for key, value in (("service.name", "auditlake"), ("service.instance.id", self._node)):
            _attribute(resource.resource.attributes, key, value)
        scope = resource.scope_metrics.add()
        scope.scope.name = SCOPE
        points = self._write(scope.metrics, now_ns)
        self._start_ns = now_ns
        self._ack, self._redaction_seconds = {}, 0.0
        self._sums.clear()
        return message.SerializeToString(), points

    def _write(self, metrics: Any, now_ns: int) -> int:
        points = 0
        if self._ack:
            histogram = _metric(metrics, "auditlake.ack.duration", "s").histogram
            histogram.aggregation_temporality = _DELTA
            for name, values in self._ack.items():
                point = self._point(histogram.data_points, (("class", name),), now_ns)
                point.count, point.sum = sum(values.counts), values.total
                point.min, point.max = values.smallest, values.largest
                point.explicit_bounds.extend(ACK_BOUNDS_SECONDS)
                point.bucket_counts.extend(values.counts)
                points += 1
            redaction = _metric(metrics, "auditlake.redaction.duration", "s").sum
            redaction.aggregation_temporality, redaction.is_monotonic = _DELTA, True
            self._point(redaction.data_points, (), now_ns).as_double = self._redaction_seconds
            points += 1
        by_name: dict[str, Any] = {}
        for (name, attributes), value in self._sums.items():
            if not value:
                continue
            if name not in by_name:
                by_name[name] = _metric(metrics, name, "By" if name == "auditlake.bytes" else "1").sum
                by_name[name].aggregation_temporality, by_name[name].is_monotonic = _DELTA, True
            self._point(by_name[name].data_points, attributes, now_ns).as_int = value
            points += 1
        return points

    def _point(self, points: Any, attributes: Attributes, now_ns: int) -> Any:
        point = points.add()
        point.start_time_unix_nano, point.time_unix_nano = self._start_ns, now_ns
        for key, value in attributes:
            _attribute(point.attributes, key, value)
        return point


def _metric(metrics: Any, name: str, unit: str) -> Any:
    metric = metrics.add()
    metric.name, metric.unit = name, unit
    return metric


def _attribute(attributes: Any, key: str, value: str) -> None:
    pair = attributes.add()
    pair.key, pair.value.string_value = key, value
