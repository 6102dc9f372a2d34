"""The collector's own numbers: counted as requests come, written to the lake like anyone's, and shown at `/metrics`.

For the lake they are deltas of scope `auditlake.collector`, at most one batch an interval and, when nothing was asked of the
collector, none but a rare one that says that it is there: it never feeds on itself. For `/metrics` they are totals since the process
started. The latency histogram is the source of the `audit_writes` view.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from collector.instruments import (
    ACK_DURATION,
    BYTES,
    COMMIT_DURATION,
    DEDUPLICATED,
    INSTRUMENTS,
    RECORDS,
    REDACTION_DURATION,
    REFUSED,
    REJECTED,
    REQUESTS,
    WITHHELD,
    Histogram,
    Instrument,
    Kind,
    Labels,
    Reading,
)
from collector.own_events import SenderEvents, WithheldEvents
from collector.own_metrics import metrics_payload

MAX_COMMITS: Final = 1 << 17
"""Commit times that are kept until they are counted, which is every few seconds."""
Source = Callable[[], Iterable[Reading]]
Key = tuple[Instrument, Labels]


class Acknowledged(NamedTuple):
    """One request that was taken: `seconds` from request in to durable; `redaction_seconds` None when nothing was redacted."""

    signal: str
    audit: bool
    records: int
    rejected: Mapping[str, int]
    size_bytes: int
    redaction_seconds: float | None
    seconds: float


@dataclass(slots=True)
class _Requests:
    """The counts of one signal: plain attributes, for they are counted with every request."""

    requests: int = 0
    records: int = 0
    size_bytes: int = 0


class Telemetry:
    """Counts until `take`, and keeps the totals. Belongs to one event loop, except `committed`."""

    def __init__(self, node: str, start_ns: int) -> None:
        """`node` is whose numbers these are, in the lake's `service.instance.id`."""
        self._node = node
        self._begun_ns = self._start_ns = start_ns
        self._totals: dict[Key, float] = defaultdict(int)
        self._total_histograms: dict[Key, Histogram] = {}
        self._read: dict[Key, float] = {}  # counters that are looked up, as they were at the last `take`
        self._sources: list[Source] = []
        self._commits: deque[float] = deque(maxlen=MAX_COMMITS)
        self.withheld_events = WithheldEvents()
        self.sender_events = SenderEvents()
        self._reset()

    def _reset(self) -> None:
        self._requests: dict[str, _Requests] = {}
        self._sums: Counter[Key] = Counter()
        self._audit = Histogram(ACK_DURATION.bounds)
        self._bulk = Histogram(ACK_DURATION.bounds)
        self._redaction = Histogram(REDACTION_DURATION.bounds)
        self._commit = Histogram(COMMIT_DURATION.bounds)

    def acknowledged(self, request: Acknowledged) -> None:
        """Count a request that was taken."""
        counts = self._requests.get(request.signal)
        if counts is None:
            counts = self._requests[request.signal] = _Requests()
        counts.requests += 1
        counts.records += request.records
        counts.size_bytes += request.size_bytes
        (self._audit if request.audit else self._bulk).record(request.seconds)
        if request.redaction_seconds is not None:
            self._redaction.record(request.redaction_seconds)
        for reason, records in request.rejected.items():
            self._sums[REJECTED, (("signal", request.signal), ("reason", reason))] += records

    def committed(self, seconds: float) -> None:
        """Count an append to the WAL with its sync; may be called from any thread."""
        self._commits.append(seconds)

    def deduplicated(self, records: int) -> None:
        """Count the records of an exact resend."""
        self._sums[DEDUPLICATED, ()] += records

    def withheld(self, values: Mapping[str, int]) -> None:
        """Count values that could not be checked, by reason."""
        for reason, number in values.items():
            self._sums[WITHHELD, (("reason", reason),)] += number
        self.withheld_events.add(values)

    def refused(self, reason: str, sender: str | None = None) -> None:
        """Count a request of which nothing was taken; `sender` is its name where it is known, else the address that it came from."""
        self._sums[REFUSED, (("reason", reason),)] += 1
        self.sender_events.add(reason, sender)

    def watch(self, source: Source) -> None:
        """Ask `source` for its readings whenever numbers are wanted: gauges as they are, counters as they are since the process began."""
        self._sources.append(source)

    def take(self, now_ns: int, *, idle: bool = False) -> tuple[bytes, int] | None:
        """Return what was counted since the last call as an OTLP metrics payload and its data points; None when nothing happened.

        Gauges go with what was counted: when nothing happened, they say nothing either, unless `idle` asks for them all the same.
        """
        if not idle and not self._requests and not self._sums:
            return None
        sums, histograms = self._counted()
        gauges: dict[Key, float] = {}
        for key, value in self._readings():
            if key[0].kind is Kind.GAUGE:
                gauges[key] = value
            else:
                before = self._read.get(key, 0)
                sums[key] = value - before if value >= before else value  # what is counted elsewhere may have begun anew
                self._read[key] = value
        payload = metrics_payload(self._node, sums, histograms, gauges, start_ns=self._start_ns, now_ns=now_ns)
        for key, histogram in histograms.items():
            self._total_histograms.setdefault(key, Histogram(histogram.bounds)).add(histogram)
        for key, value in sums.items():
            if key not in self._read:
                self._totals[key] += value
        self._start_ns = now_ns
        self._reset()
        return payload

    def snapshot(self) -> dict[str, Any]:
        """Return all totals and gauges as what JSON can hold; `collector.prometheus.exposition` takes those of several processes.

        `{"node", "begun_ns", "metrics": [{"name", "kind", "unit", "text", "merge", "bounds", "points"}]}`. A point is
        `[[[label, value], …], number]`, of a histogram `[[[label, value], …], {"counts", "sum"}]`. Labels that were
        never counted have no points.
        """
        sums, histograms = self._counted()
        points: dict[Instrument, list[Any]] = {instrument: [] for instrument in INSTRUMENTS}
        for key in dict.fromkeys((*self._totals, *sums)):
            points[key[0]].append([key[1], self._totals.get(key, 0) + sums.get(key, 0)])
        for (instrument, labels), value in self._readings():
            points.setdefault(instrument, []).append([labels, value])
        for key in dict.fromkeys((*self._total_histograms, *histograms)):
            both = [found for found in (self._total_histograms.get(key), histograms.get(key)) if found is not None]
            counts = [sum(parts) for parts in zip(*(one.counts for one in both), strict=True)]
            points[key[0]].append([key[1], {"counts": counts, "sum": sum(one.total for one in both)}])
        return {
            "node": self._node,
            "begun_ns": self._begun_ns,
            "metrics": [
                {
                    "name": instrument.name,
                    "kind": instrument.kind,
                    "unit": instrument.unit,
                    "text": instrument.text,
                    "merge": instrument.merge,
                    "bounds": instrument.bounds,
                    "points": values,
                }
                for instrument, values in points.items()
            ],
        }

    def _counted(self) -> tuple[dict[Key, float], dict[Key, Histogram]]:
        """Return what was counted since the last `take`."""
        while self._commits:
            self._commit.record(self._commits.popleft())
        sums: dict[Key, float] = {(DEDUPLICATED, ()): 0, **self._sums}
        for signal, counts in self._requests.items():
            labels: Labels = (("signal", signal),)
            sums[REQUESTS, labels] = counts.requests
            sums[RECORDS, labels] = counts.records
            sums[BYTES, labels] = counts.size_bytes
        histograms = {
            (ACK_DURATION, (("class", "audit"),)): self._audit,
            (ACK_DURATION, (("class", "bulk"),)): self._bulk,
            (REDACTION_DURATION, ()): self._redaction,
            (COMMIT_DURATION, ()): self._commit,
        }
        return sums, histograms

    def _readings(self) -> Iterator[tuple[Key, float]]:
        for source in self._sources:
            for reading in source():
                yield (reading.instrument, reading.labels), reading.value
