"""The collector's own metrics: what the `audit_writes` view and the counters are made of."""

from collector.signals import METRICS, Message
from collector.telemetry import ACK_BOUNDS_SECONDS, SCOPE, Acknowledged, Telemetry

START_NS, NOW_NS = 10**18, 10**18 + 10**10


def acknowledged(*, audit: bool = False, seconds: float = 0.001, rejected: int = 0) -> Acknowledged:
    return Acknowledged(signal="logs", audit=audit, records=3, rejected=rejected, size_bytes=100, redaction_seconds=0.25, seconds=seconds)


def metrics_of(payload: bytes) -> dict[str, Message]:
    (resource,) = METRICS.request.FromString(payload).resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == SCOPE == "auditlake.collector"
    assert {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"] == "auditlake"
    return {metric.name: metric for metric in scope.metrics}


def test_nothing_is_written_when_nothing_happened() -> None:
    telemetry = Telemetry("node", START_NS)
    assert telemetry.take(NOW_NS) is None
    telemetry.acknowledged(acknowledged())
    assert telemetry.take(NOW_NS) is not None
    assert telemetry.take(NOW_NS) is None


def test_acknowledgement_latency_is_a_delta_histogram_a_class() -> None:
    telemetry = Telemetry("node", START_NS)
    for seconds in (0.004, 0.005, 0.0051, 7.0):
        telemetry.acknowledged(acknowledged(audit=True, seconds=seconds))
    telemetry.acknowledged(acknowledged())
    taken = telemetry.take(NOW_NS)
    assert taken is not None
    metric = metrics_of(taken[0])["auditlake.ack.duration"]
    assert (metric.unit, metric.histogram.aggregation_temporality) == ("s", 1)
    points = {point.attributes[0].value.string_value: point for point in metric.histogram.data_points}
    assert set(points) == {"audit", "bulk"}
    audit = points["audit"]
    assert (audit.count, audit.min, audit.max) == (4, 0.004, 7.0)
    assert (audit.start_time_unix_nano, audit.time_unix_nano) == (START_NS, NOW_NS)
    within_5ms = list(audit.explicit_bounds).index(0.005)
    assert sum(audit.bucket_counts[: within_5ms + 1]) == 2, "a bucket includes its upper bound"
    assert audit.bucket_counts[-1] == 1
    assert {0.005, 0.02} <= set(ACK_BOUNDS_SECONDS)


def test_counters_by_signal_and_reason() -> None:
    telemetry = Telemetry("node", START_NS)
    telemetry.acknowledged(acknowledged(rejected=2))
    telemetry.acknowledged(acknowledged())
    telemetry.deduplicated(3)
    telemetry.refused("too_large")
    taken = telemetry.take(NOW_NS)
    assert taken is not None
    payload, points = taken
    metrics = metrics_of(payload)
    values = {
        (name, *(pair.value.string_value for pair in point.attributes)): point.as_int
        for name, metric in metrics.items()
        for point in metric.sum.data_points
    }
    assert values["auditlake.requests", "logs"] == 2
    assert values["auditlake.records", "logs"] == 6
    assert values["auditlake.bytes", "logs"] == 200
    assert values["auditlake.records.rejected", "logs"] == 2
    assert values["auditlake.records.deduplicated",] == 3
    assert values["auditlake.requests.refused", "too_large"] == 1
    assert metrics["auditlake.redaction.duration"].sum.data_points[0].as_double == 0.5
    assert points == sum(len(metric.sum.data_points) + len(metric.histogram.data_points) for metric in metrics.values())
