"""The metrics of the vocabulary: one instrument a name, with the registry's buckets, and labels that cannot grow without end."""

import logging
from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import Counter, Histogram, Meter

from auditlake import vocabulary as names
from auditlake._values import Value

LABEL_VALUES: Final = 100
OTHER: Final = "(other)"

_COUNTERS: Final = (
    names.METRIC_TASK_COMPLETION, names.METRIC_VIOLATIONS, names.METRIC_BIAS_ALERTS, names.METRIC_UNCERTAINTY_HANDLING,
)  # fmt: skip


class BoundedLabels:
    """Keeps the first `LABEL_VALUES` values of each label of a metric; every further one becomes `(other)`, and the log says so once."""

    def __init__(self) -> None:
        """Know no value yet."""
        self._seen: dict[str, set[Value]] = {}
        self._told: set[str] = set()

    def bounded(self, labels: Mapping[str, Value]) -> dict[str, Value]:
        """Return `labels` with the overflow folded. Two threads at once may let one value more pass."""
        return {name: self._value(name, value if not isinstance(value, list) else str(value)) for name, value in labels.items()}

    def _value(self, label: str, value: Value) -> Value:
        seen = self._seen.setdefault(label, set())
        if value in seen:
            return value
        if len(seen) < LABEL_VALUES:
            seen.add(value)
            return value
        if label not in self._told:
            self._told.add(label)
            logging.getLogger("auditlake").warning(
                "the label %s of metrics has over %d values: further ones are %s", label, LABEL_VALUES, OTHER
            )
        return OTHER


class Instruments:
    """The instruments of one client."""

    def __init__(self, meter: Meter) -> None:
        """Create them; they send nothing until they are used."""
        self._labels = BoundedLabels()
        self._queue = meter.create_gauge(names.METRIC_QUEUE_DEPTH, names.UNITS[names.METRIC_QUEUE_DEPTH], "tasks waiting")
        self._counters: dict[str, Counter] = {name: meter.create_counter(name, names.UNITS[name]) for name in _COUNTERS}
        self._histograms: dict[str, Histogram] = {
            name: meter.create_histogram(name, names.UNITS[name], explicit_bucket_boundaries_advisory=bounds)
            for name, bounds in names.BUCKETS.items()
        }

    def set_queue_depth(self, depth: int, labels: Mapping[str, Value]) -> None:
        """Set the gauge of a queue."""
        self._queue.set(depth, self._labels.bounded(labels))

    def record(self, metric: str, value: float, labels: Mapping[str, Value]) -> None:
        """Add to a counter, or one value to a histogram; counters only grow, so a negative value is left out."""
        bounded = self._labels.bounded(labels)
        if metric in self._histograms:
            self._histograms[metric].record(value, bounded)
        elif value >= 0:
            self._counters[metric].add(value, bounded)
