"""What workers that ended have counted: the counters of all workers together never go back, or rates computed from them would be wrong."""

from collections.abc import Mapping
from typing import Any

from collector.instruments import Kind


class Totals:
    """The sum of snapshots (`collector.telemetry.Telemetry.snapshot`) of processes that are gone; their gauges are gone with them."""

    def __init__(self) -> None:
        self._metrics: dict[str, dict[str, Any]] = {}

    def keep(self, snapshot: Mapping[str, Any]) -> None:
        """Add the last snapshot of a process."""
        for metric in snapshot["metrics"]:
            if metric["kind"] == Kind.GAUGE:
                continue
            points: dict[Any, Any] = self._metrics.setdefault(metric["name"], {**metric, "points": {}})["points"]
            for labels, value in metric["points"]:
                points[labels] = _sum(points[labels], value) if labels in points else value

    def snapshots(self) -> list[dict[str, Any]]:
        """Return what goes beside the snapshots of the living."""
        metrics = [
            {**metric, "points": [[labels, value] for labels, value in metric["points"].items()]} for metric in self._metrics.values()
        ]
        return [{"metrics": metrics}] if metrics else []


def _sum(one: Any, other: Any) -> Any:
    if not isinstance(one, Mapping):
        return one + other
    counts = [mine + theirs for mine, theirs in zip(one["counts"], other["counts"], strict=True)]
    return {"counts": counts, "sum": one["sum"] + other["sum"]}
