"""What the forwarder did is among the collector's own metrics."""

import time
from pathlib import Path

from collector.forwarding.queue import exporter_folder
from collector.forwarding.readings import ForwardReadings
from collector.forwarding.status import Status
from collector.telemetry import Telemetry

ID = "otlp_http/b"


def say(data: Path, sent: int, **fields: int) -> None:
    exporter_folder(data, ID).mkdir(parents=True, exist_ok=True)
    counts = {"requests": 1, "sent": sent, "dropped": 2, "bytes": 10}
    Status(exporter=ID, updated_ns=1, counts=counts, queue_segments=3, queue_bytes=30, **fields).write(exporter_folder(data, ID))


def shown(telemetry: Telemetry) -> dict[str, list[object]]:
    return {metric["name"]: metric["points"] for metric in telemetry.snapshot()["metrics"] if "forward" in metric["name"]}


def test_counters_begin_with_the_process_and_gauges_are_as_they_are(tmp_path: Path) -> None:
    say(tmp_path, sent=5)
    telemetry = Telemetry("node", 0)
    telemetry.watch(ForwardReadings(tmp_path, [ID]))
    say(tmp_path, sent=12, oldest_ns=time.time_ns() - 10**10)
    metrics = shown(telemetry)
    assert metrics["auditlake.forward.outcomes"][:1] == [[(("exporter", ID), ("outcome", "sent")), 7]]
    assert metrics["auditlake.forward.queue.size"] == [[(("exporter", ID),), 30]]
    assert metrics["auditlake.forward.queue.age"][0][1] >= 10  # type: ignore[index]


def test_an_exporter_that_has_said_nothing_has_no_readings(tmp_path: Path) -> None:
    assert list(ForwardReadings(tmp_path, [ID])()) == []
