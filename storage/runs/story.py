"""The steps of a run as one story: spans and events in a tree, each exactly once, in the order in which they began."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from storage.runs import clocks

Step = dict[str, Any]


def tell(rows: Sequence[Step], known: Set[tuple[str | None, str | None]]) -> tuple[list[Step], list[dict[str, Any]]]:
    """Order steps depth first, siblings by their beginning, and return them with the anomalies of their clocks.

    Every step appears exactly once, also those of a cycle. `known` are all spans of the run's traces: a parent that belongs to another
    run is no missing parent. Adds `depth`, `orphan`, `parent_record_id` and `clock_offset_ms` to each step.
    """
    spans: dict[tuple[str | None, str | None], Step] = {}
    for row in rows:
        if row["source"] == "span":
            spans.setdefault((row["trace_id"], row["span_id"]), row)
    parents: list[Step | None] = []
    for row in rows:
        key = (row["trace_id"], row["parent_span_id"])
        parent = spans.get(key) if key[1] else None
        parents.append(None if parent is row else parent)
        row["orphan"] = bool(key[1]) and parent is None and key not in known
        row["parent_record_id"] = None if parent is None or parent is row else parent["record_id"]
    anomalies = clocks.correct(rows, parents)
    if any(anomaly["kind"] == "skew" for anomaly in anomalies):
        rows = sorted(rows, key=clocks.begin_ns)
    children: dict[str, list[Step]] = {}
    tops: list[Step] = []
    for row in rows:
        above = row["parent_record_id"]
        (tops if above is None else children.setdefault(above, [])).append(row)
    ordered: list[Step] = []
    seen: set[str] = set()
    for top in tops:
        _descend(top, children, ordered, seen)
    for row in rows:  # what is left goes round in circles
        if row["record_id"] not in seen:
            row["parent_record_id"], row["orphan"] = None, True
            _descend(row, children, ordered, seen)
    return ordered, anomalies


def _descend(top: Step, children: Mapping[str, Sequence[Step]], ordered: list[Step], seen: set[str]) -> None:
    waiting = [(top, 0)]
    while waiting:
        step, depth = waiting.pop()
        if step["record_id"] in seen:
            continue
        seen.add(step["record_id"])
        step["depth"] = depth
        ordered.append(step)
        waiting.extend((child, depth + 1) for child in reversed(children.get(step["record_id"], ())))
