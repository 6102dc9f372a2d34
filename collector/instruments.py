"""The collector's own metrics: one table, from which they are written into the lake, shown at `/metrics` and documented.

Names and units are OpenTelemetry's; `collector.prometheus` derives the names of Prometheus. The registry of the vocabulary has the same
names, and docs/telemetry.md lists them: tests compare the three.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

ACK_BOUNDS_SECONDS: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
COMMIT_BOUNDS_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
REDACTION_BOUNDS_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Labels = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    """What a metric is, by Prometheus' word for it."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merge(StrEnum):
    """How a gauge of several processes becomes one; counters and histograms are summed."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One metric: `name` and `unit` as OpenTelemetry has them (UCUM; `{…}` for things that are counted), `labels` by name."""

    name: str
    kind: Kind
    unit: str
    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    merge: Merge = Merge.SUM


class Reading(NamedTuple):
    """A value that is looked up when it is wanted: of a gauge now, of a counter since its process started."""

    instrument: Instrument
    value: float
    labels: Labels = ()


class Histogram:
    """Counts by bucket; a bucket includes its upper bound."""

    __slots__ = ("bounds", "counts", "largest", "smallest", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.smallest = float("inf")
        self.largest = 0.0

    def record(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        if value < self.smallest:  # noqa: PLR1730 - min and max cost three times as much, with every request
            self.smallest = value
        if value > self.largest:  # noqa: PLR1730
            self.largest = value

    def add(self, other: "Histogram") -> None:
        """Add what another with the same bounds has counted."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)


def _counter(name: str, unit: str, text: str, *labels: str) -> Instrument:
    return Instrument(name=name, kind=Kind.COUNTER, unit=unit, text=text, labels=labels)


def _gauge(name: str, unit: str, text: str, *labels: str, merge: Merge = Merge.SUM) -> Instrument:
    return Instrument(name=name, kind=Kind.GAUGE, unit=unit, text=text, labels=labels, merge=merge)


def _histogram(name: str, text: str, bounds: tuple[float, ...], *labels: str) -> Instrument:
    return Instrument(name=name, kind=Kind.HISTOGRAM, unit="s", text=text, labels=labels, bounds=bounds)


REQUESTS: Final = _counter("auditlake.requests", "1", "requests that the collector took", "signal")
REFUSED: Final = _counter("auditlake.requests.refused", "1", "requests of which nothing was taken", "reason")
RECORDS: Final = _counter("auditlake.records", "1", "records in the requests that were taken", "signal")
REJECTED: Final = _counter("auditlake.records.rejected", "1", "records of them that were rejected", "signal", "reason")
DEDUPLICATED: Final = _counter("auditlake.records.deduplicated", "1", "records of exact resends")
BYTES: Final = _counter("auditlake.bytes", "By", "bytes of the requests that were taken, after decompression", "signal")
WITHHELD: Final = _counter("auditlake.redaction.withheld", "1", "values that were withheld because redaction failed on them", "reason")
ACK_DURATION: Final = _histogram(
    "auditlake.ack.duration", "from request in to durable; class is audit or bulk", ACK_BOUNDS_SECONDS, "class"
)
COMMIT_DURATION: Final = _histogram(
    "auditlake.wal.commit.duration", "one append to the WAL with its fdatasync, whatever was in it", COMMIT_BOUNDS_SECONDS
)
REDACTION_DURATION: Final = _histogram(
    "auditlake.redaction.duration", "redaction of one request, waiting for the scanner included", REDACTION_BOUNDS_SECONDS
)
QUEUE_RECORDS: Final = _gauge("auditlake.wal.queue.records", "{record}", "records that wait for the next append to the WAL")
QUEUE_BYTES: Final = _gauge("auditlake.wal.queue.size", "By", "bytes that wait for the next append to the WAL")
IN_FLIGHT: Final = _gauge("auditlake.in_flight", "By", "memory that requests under way hold, as memory_limiter counts it")
RECEIVING: Final = _gauge("auditlake.receiving", "{message}", "gRPC messages that are being received, or wait for a place to be")
RECEIVING_PLACES: Final = _gauge("auditlake.receiving.places", "{message}", "gRPC messages that may be received at a time")
CONNECTIONS: Final = _gauge("auditlake.connections", "{connection}", "open HTTP connections", "listener")
SCANNER_QUEUE: Final = _gauge("auditlake.scanner.queue", "{text}", "parts of texts that wait for a scanner")
CACHE_HITS: Final = _counter("auditlake.redaction.cache.hits", "{text}", "texts that the redaction cache knew, of the sampled requests")
CACHE_LOOKUPS: Final = _counter("auditlake.redaction.cache.lookups", "{text}", "texts that were looked up, of the sampled requests")
SEGMENTS_WAITING: Final = _gauge("auditlake.segments.waiting", "{segment}", "closed WAL segments that are not sealed yet", merge=Merge.MAX)
SEAL_LAG: Final = _gauge("auditlake.seal.lag", "s", "how long the oldest of them has waited, 0 when none does", merge=Merge.MAX)
WAL_SIZE: Final = _gauge("auditlake.wal.size", "By", "bytes of all WAL segments on disk", merge=Merge.MAX)
QUARANTINED: Final = _gauge(
    "auditlake.wal.quarantined", "{segment}", "damaged WAL segments that were put aside in the data directory", merge=Merge.MAX
)
DISK_FREE: Final = _gauge("auditlake.disk.free", "By", "free space where the data directory is", merge=Merge.MIN)
DISK_USED: Final = _gauge("auditlake.disk.used", "By", "space there that is in use, by whatever", merge=Merge.MAX)
COMPACTION_LAG: Final = _gauge("auditlake.compaction.lag", "s", "how long a merge of files has been due, 0 when none is", merge=Merge.MAX)
CHECKPOINT_AGE: Final = _gauge(
    "auditlake.checkpoint.age", "s", "how old the checkpoint is of the log that has waited longest for one", merge=Merge.MAX
)
MEMORY: Final = _gauge("auditlake.process.memory", "By", "resident memory of the collector's receiving processes")
PROCESSES: Final = _gauge("auditlake.processes", "{process}", "receiving processes of this collector")
FORWARD_REQUESTS: Final = _counter("auditlake.forward.requests", "1", "requests that a backend took", "exporter")
FORWARD_OUTCOMES: Final = _counter(
    "auditlake.forward.outcomes",
    "{record}",
    "records by what became of them: sent, rejected by the backend, dropped over the bounds of the queue, filtered",
    "exporter",
    "outcome",
)
FORWARD_SIZE: Final = _counter("auditlake.forward.size", "By", "bytes of the requests that a backend took, before compression", "exporter")
FORWARD_RETRIES: Final = _counter("auditlake.forward.retries", "1", "attempts that failed and were made again", "exporter")
FORWARD_QUEUE_SIZE: Final = _gauge("auditlake.forward.queue.size", "By", "bytes that wait to be forwarded", "exporter", merge=Merge.MAX)
FORWARD_QUEUE_SEGMENTS: Final = _gauge(
    "auditlake.forward.queue.segments", "{segment}", "WAL segments that wait to be forwarded", "exporter", merge=Merge.MAX
)
FORWARD_QUEUE_AGE: Final = _gauge(
    "auditlake.forward.queue.age", "s", "how long the oldest of them has waited, 0 when none does", "exporter", merge=Merge.MAX
)

COUNTED: Final = (
    REQUESTS, REFUSED, RECORDS, REJECTED, DEDUPLICATED, BYTES, WITHHELD, ACK_DURATION, COMMIT_DURATION, REDACTION_DURATION,
)  # fmt: skip
"""What the collector counts as it happens."""
READ: Final = (
    QUEUE_RECORDS, QUEUE_BYTES, IN_FLIGHT, RECEIVING, RECEIVING_PLACES, CONNECTIONS, SCANNER_QUEUE, CACHE_HITS, CACHE_LOOKUPS,
    SEGMENTS_WAITING, SEAL_LAG, WAL_SIZE, QUARANTINED, DISK_FREE, DISK_USED, COMPACTION_LAG, CHECKPOINT_AGE, MEMORY, PROCESSES,
    FORWARD_REQUESTS, FORWARD_OUTCOMES, FORWARD_SIZE, FORWARD_RETRIES, FORWARD_QUEUE_SIZE, FORWARD_QUEUE_SEGMENTS, FORWARD_QUEUE_AGE,
)  # fmt: skip
"""What is looked up when it is wanted."""
INSTRUMENTS: Final = COUNTED + READ


def merged(kind: Kind, merge: Merge, values: Iterable[float]) -> float:
    """Return one value for those of several processes."""
    if kind is Kind.GAUGE and merge is not Merge.SUM:
        return max(values) if merge is Merge.MAX else min(values)
    return sum(values)
