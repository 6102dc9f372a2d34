"""The collector's own metrics: what the `audit_writes` view, the counters and `/metrics` are made of."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from collector.instruments import ACK_BOUNDS_SECONDS, COUNTED, INSTRUMENTS, Instrument, Kind, Merge, Reading
from collector.own_events import SCOPE
from collector.signals import METRICS, Message
from collector.telemetry import Acknowledged, Telemetry

START_NS, NOW_NS = 10**18, 10**18 + 10**10
SENT = Instrument(name="auditlake.sent", kind=Kind.COUNTER, unit="1", text="of another part", labels=("exporter",), merge=Merge.SUM)
WAITING = Instrument(name="auditlake.waiting", kind=Kind.GAUGE, unit="By", text="of another part")


def acknowledged(*, audit: bool = False, seconds: float = 0.001, rejected: Mapping[str, int] | None = None) -> Acknowledged:
    return Acknowledged(
        signal="logs", audit=audit, records=3, rejected=rejected or {}, size_bytes=100, redaction_seconds=0.25, seconds=seconds
    )


def metrics_of(taken: tuple[bytes, int] | None) -> dict[str, Message]:
    assert taken is not None
    (resource,) = METRICS.request.FromString(taken[0]).resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == SCOPE == "auditlake.collector"
    assert {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"] == "auditlake"
    metrics = {metric.name: metric for metric in scope.metrics}
    assert taken[1] == sum(len(getattr(metric, metric.WhichOneof("data")).data_points) for metric in metrics.values())
    return metrics


def sums_of(metrics: Mapping[str, Message]) -> dict[tuple[str, ...], float]:
    return {
        (name, *(pair.value.string_value for pair in point.attributes)): point.as_int or point.as_double
        for name, metric in metrics.items()
        for point in metric.sum.data_points
    }


def shown(telemetry: Telemetry) -> dict[str, Any]:
    """A snapshot as it comes out of another process: by name, each with its points by label values."""
    snapshot = json.loads(json.dumps(telemetry.snapshot()))
    return {
        metric["name"]: {tuple(value for _, value in labels): number for labels, number in metric["points"]}
        for metric in snapshot["metrics"]
    }


def test_nothing_is_written_when_nothing_happened() -> None:
    """Our own writes and gauges are nothing: the collector does not feed on itself."""
    telemetry = Telemetry("node", START_NS)
    telemetry.watch(lambda: [Reading(WAITING, 5)])
    telemetry.committed(0.001)
    assert telemetry.take(NOW_NS) is None
    telemetry.acknowledged(acknowledged())
    assert telemetry.take(NOW_NS) is not None
    telemetry.committed(0.001)
    assert telemetry.take(NOW_NS) is None


def test_who_asks_for_an_idle_collector_gets_its_gauges() -> None:
    """Or nobody could tell from the lake one that has nothing to do from one that is gone."""
    telemetry = Telemetry("node", START_NS)
    telemetry.watch(lambda: [Reading(WAITING, 5)])
    metrics = metrics_of(telemetry.take(NOW_NS, idle=True))
    assert [point.as_int for point in metrics["auditlake.waiting"].gauge.data_points] == [5]
    assert not sums_of(metrics)
    assert telemetry.take(NOW_NS) is None


def test_acknowledgement_latency_is_a_delta_histogram_a_class() -> None:
    telemetry = Telemetry("node", START_NS)
    for seconds in (0.004, 0.005, 0.0051, 7.0):
        telemetry.acknowledged(acknowledged(audit=True, seconds=seconds))
    telemetry.acknowledged(acknowledged())
    metric = metrics_of(telemetry.take(NOW_NS))["auditlake.ack.duration"]
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
    telemetry.acknowledged(acknowledged(rejected={"no id": 2}))
    telemetry.acknowledged(acknowledged())
    telemetry.deduplicated(3)
    telemetry.refused("too_large")
    telemetry.withheld({"timeout": 4})
    metrics = metrics_of(telemetry.take(NOW_NS))
    assert sums_of(metrics) == {
        ("auditlake.requests", "logs"): 2,
        ("auditlake.records", "logs"): 6,
        ("auditlake.bytes", "logs"): 200,
        ("auditlake.records.rejected", "logs", "no id"): 2,
        ("auditlake.records.deduplicated",): 3,
        ("auditlake.requests.refused", "too_large"): 1,
        ("auditlake.redaction.withheld", "timeout"): 4,
    }
    (redaction,) = metrics["auditlake.redaction.duration"].histogram.data_points
    assert (redaction.count, redaction.sum) == (2, 0.5)


def test_what_was_not_redacted_counts_in_no_redaction_time() -> None:
    """A resend is acknowledged and not cleaned again."""
    telemetry = Telemetry("node", START_NS)
    telemetry.acknowledged(acknowledged()._replace(redaction_seconds=None))
    assert "auditlake.redaction.duration" not in metrics_of(telemetry.take(NOW_NS))


def test_appends_to_the_wal_are_a_histogram_beside_the_acknowledgements() -> None:
    telemetry = Telemetry("node", START_NS)
    telemetry.acknowledged(acknowledged())
    for seconds in (0.0004, 0.0009):
        telemetry.committed(seconds)
    (point,) = metrics_of(telemetry.take(NOW_NS))["auditlake.wal.commit.duration"].histogram.data_points
    assert (point.count, point.min, point.max) == (2, 0.0004, 0.0009)


def test_gauges_go_with_what_was_counted_and_foreign_counters_as_deltas() -> None:
    """Other parts (forwarding) count by themselves: what they say is the total since they began."""
    telemetry = Telemetry("node", START_NS)
    values = iter((5, 7, 3))

    def readings() -> Iterator[Reading]:
        yield Reading(SENT, next(values), (("exporter", "otlp/a"),))
        yield Reading(WAITING, 10)

    telemetry.watch(readings)
    deltas = []
    for _ in range(3):
        telemetry.acknowledged(acknowledged())
        metrics = metrics_of(telemetry.take(NOW_NS))
        deltas.append(sums_of(metrics)["auditlake.sent", "otlp/a"])
        assert [point.as_int for point in metrics["auditlake.waiting"].gauge.data_points] == [10]
    assert deltas == [5, 2, 3], "one that falls began anew"


def test_a_snapshot_has_the_totals_whatever_was_taken_meanwhile() -> None:
    """`take` is for the lake, which adds deltas up; `/metrics` never falls."""
    telemetry = Telemetry("node", START_NS)
    telemetry.watch(lambda: [Reading(SENT, 9, (("exporter", "otlp/a"),))])
    for _ in range(3):
        telemetry.acknowledged(acknowledged(audit=True, rejected={"no id": 1}))
        telemetry.committed(0.001)
        telemetry.take(NOW_NS)
    telemetry.acknowledged(acknowledged(audit=True))
    metrics = shown(telemetry)
    assert metrics["auditlake.requests"] == {("logs",): 4}
    assert metrics["auditlake.records.rejected"] == {("logs", "no id"): 3}
    assert metrics["auditlake.sent"] == {("otlp/a",): 9}
    assert sum(metrics["auditlake.ack.duration"]["audit",]["counts"]) == 4
    assert metrics["auditlake.redaction.duration"][()]["sum"] == 1.0
    assert sum(metrics["auditlake.wal.commit.duration"][()]["counts"]) == 3
    assert shown(telemetry) == metrics, "looking changes nothing"


def test_every_metric_is_in_a_snapshot_even_before_anything_was_counted() -> None:
    assert set(shown(Telemetry("node", START_NS))) == {instrument.name for instrument in INSTRUMENTS}
    assert {instrument.kind for instrument in COUNTED} == {Kind.COUNTER, Kind.HISTOGRAM}
