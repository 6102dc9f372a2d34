"""Clocks that disagree: steps of another service that begin before what caused them, and by how much its clock is off.

A step cannot begin before its parent. Where one service's steps do so by an offset that fits all of them, its clock is behind, and the
story is told with the offset taken out; where no offset fits, nothing is corrected. Both are said. Times in the rows stay as sent.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Step = dict[str, Any]

TOLERANCE_NS: Final = 1_000_000
"""Some SDKs know milliseconds only."""
_SERVER: Final = 2
_CLIENT: Final = 3
_NAMED_AT_MOST: Final = 100


@dataclass(slots=True)
class _Pair:
    """What the steps of one service below steps of another say about the difference of their clocks, in ns to add to the child's."""

    low: int = -(2**63)  # no child begins before its parent
    high: int = 2**63  # a server has answered before its client goes on
    latest: int = 2**63  # every child begins before its parent ends
    early: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def note(self, parent: Step, child: Step) -> None:
        """Take a step and its parent into account."""
        earliest = parent["start_ns"] - child["start_ns"]
        self.low = max(self.low, earliest)
        if earliest > TOLERANCE_NS:
            self.early.append(child["record_id"])
        if parent["ended_at"] is None:
            return
        self.latest = min(self.latest, parent["end_ns"] - child["start_ns"])
        if child.get("span_kind") == _SERVER and parent.get("span_kind") == _CLIENT and child["ended_at"] is not None:
            left = parent["end_ns"] - child["end_ns"]
            self.high = min(self.high, left)
            if left < -TOLERANCE_NS:
                self.late.append(child["record_id"])

    def offset_ns(self) -> int | None:
        """The offset that explains every step; 0 when none is needed, None when none does."""
        high = min(self.high, self.latest)
        if not self.early and not self.late:
            return 0
        if self.low > high + TOLERANCE_NS:
            return None
        return (self.low + self.high) // 2 if self.high < 2**63 and self.low > -(2**63) else self.low


def correct(rows: Sequence[Step], parents: Sequence[Step | None]) -> list[dict[str, Any]]:
    """Set `clock_offset_ms` of every row, None where its clock is believed, and return the anomalies that were found.

    `parents` are those of the rows, None where there is none. An anomaly has `kind` (`skew`, `before_parent`, `ends_before_start`,
    `absurd_time`), `count` and `record_ids`; a skew also `service`, `against`, `offset_ms` (added to the service's times), `corrected`.
    """
    services: dict[str, str] = {}
    backwards, absurd = [], []
    for row in rows:
        row["clock_offset_ms"] = None
        services[row["record_id"]] = _service(row)
        if 0 < (row["end_ns"] or 0) < row["start_ns"]:
            backwards.append(row["record_id"])
        if row.get("clock_flagged"):
            absurd.append(row["record_id"])
    pairs, early = _compare(rows, parents, services)
    anomalies = _skews(pairs)
    offsets = _offsets(pairs, rows, parents, services) if anomalies else {}
    for row in rows if offsets else ():
        if offset := offsets.get(services[row["record_id"]]):
            row["clock_offset_ms"] = offset / 1e6
    found = (("before_parent", early), ("ends_before_start", backwards), ("absurd_time", absurd))
    return anomalies + [_anomaly(kind, ids) for kind, ids in found if ids]


def begin_ns(step: Mapping[str, Any]) -> int:
    """When a step began, its clock's offset taken out."""
    return int(step["start_ns"]) + round((step.get("clock_offset_ms") or 0) * 1e6)


def _compare(
    rows: Sequence[Step], parents: Sequence[Step | None], services: Mapping[str, str]
) -> tuple[dict[tuple[str, str], _Pair], list[str]]:
    pairs: dict[tuple[str, str], _Pair] = defaultdict(_Pair)
    early = []
    for row, parent in zip(rows, parents, strict=True):
        if parent is None:
            continue
        ours, theirs = services[row["record_id"]], services[parent["record_id"]]
        if ours != theirs:
            pairs[theirs, ours].note(parent, row)
        elif row["start_ns"] < parent["start_ns"] - TOLERANCE_NS:
            early.append(row["record_id"])
    return pairs, early


def _skews(pairs: Mapping[tuple[str, str], _Pair]) -> list[dict[str, Any]]:
    found = []
    for (against, service), pair in sorted(pairs.items()):
        offset = pair.offset_ns()
        if offset != 0:
            best = pair.low if offset is None else offset
            told = {"service": service, "against": against, "offset_ms": best / 1e6, "corrected": offset is not None}
            found.append(_anomaly("skew", list(dict.fromkeys(pair.early + pair.late))) | told)
    return found


def _offsets(
    pairs: Mapping[tuple[str, str], _Pair], rows: Sequence[Step], parents: Sequence[Step | None], services: Mapping[str, str]
) -> dict[str, int]:
    """The offset of every service against the one that the run began in, along who calls whom."""
    below: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for (against, service), pair in sorted(pairs.items()):
        below[against].append((service, pair.offset_ns() or 0))
    tops = [services[row["record_id"]] for row, parent in zip(rows, parents, strict=True) if parent is None and row["source"] == "span"]
    found: dict[str, int] = {}
    for top in [*dict.fromkeys(tops), *sorted(below)]:
        waiting = [(top, 0)] if top not in found else []
        while waiting:
            service, offset = waiting.pop()
            if service not in found:
                found[service] = offset
                waiting += [(callee, offset + own) for callee, own in below[service]]
    return found


def _service(row: Step) -> str:
    """Whose clock a step was timed by: OpenTelemetry's service, and the host where it is known."""
    resource = row.get("resource_attributes") or {}
    name, host = resource.get("service.name") or "", resource.get("host.name") or resource.get("service.instance.id")
    return f"{name}@{host}" if host else name


def _anomaly(kind: str, record_ids: list[str]) -> dict[str, Any]:
    return {"kind": kind, "count": len(record_ids), "record_ids": record_ids[:_NAMED_AT_MOST]}
