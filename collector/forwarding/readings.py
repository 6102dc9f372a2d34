"""What the forwarder did, as metrics of the collector: looked up in what it says about itself whenever they are wanted."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from collector.forwarding.status import Status
from collector.instruments import (
    FORWARD_OUTCOMES,
    FORWARD_QUEUE_AGE,
    FORWARD_QUEUE_SEGMENTS,
    FORWARD_QUEUE_SIZE,
    FORWARD_REQUESTS,
    FORWARD_RETRIES,
    FORWARD_SIZE,
    Labels,
    Reading,
)

_OUTCOMES: Final = ("sent", "rejected", "dropped", "filtered")


class ForwardReadings:
    """The readings of all exporters; counters since this was made, whatever they counted in earlier lives."""

    def __init__(self, data: Path, exporters: Sequence[str]) -> None:
        self._data = data
        statuses = {exporter: Status.read(data, exporter) for exporter in exporters}
        self._before = {exporter: {} if status is None else dict(status.counts) for exporter, status in statuses.items()}

    def __call__(self) -> Iterator[Reading]:
        """Yield the readings; none of an exporter that has said nothing yet."""
        for exporter, before in self._before.items():
            status = Status.read(self._data, exporter)
            if status is None:
                continue
            counts = {name: _since(before.get(name, 0), number) for name, number in status.counts.items()}
            labels: Labels = (("exporter", exporter),)
            yield Reading(FORWARD_REQUESTS, counts.get("requests", 0), labels)
            for outcome in _OUTCOMES:
                yield Reading(FORWARD_OUTCOMES, counts.get(outcome, 0), (*labels, ("outcome", outcome)))
            yield Reading(FORWARD_SIZE, counts.get("bytes", 0), labels)
            yield Reading(FORWARD_RETRIES, counts.get("retried", 0), labels)
            yield Reading(FORWARD_QUEUE_SIZE, status.queue_bytes, labels)
            yield Reading(FORWARD_QUEUE_SEGMENTS, status.queue_segments, labels)
            yield Reading(FORWARD_QUEUE_AGE, status.queue_seconds(time.time_ns()), labels)


def _since(before: int, number: int) -> int:
    """What was counted since; a forwarder that was killed may have forgotten the last of it, and begins there again."""
    return number - before if number >= before else number
