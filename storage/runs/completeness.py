"""What is missing from a run, as numbers: "nothing is missing" is a claim that this makes or refuses."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from storage.runs.clocks import begin_ns

Step = Mapping[str, Any]

_NAMED_AT_MOST: Final = 100


def completeness(
    run: Mapping[str, Any], steps: Sequence[Step], *, anomalies: Sequence[Mapping[str, Any]], dropped: Mapping[str, int], duplicates: int
) -> dict[str, Any]:
    """Return the key `completeness` of a reconstruction (docs/runs.md names its parts).

    `run` is its row of the view, `steps` its story, `anomalies` those of its clocks, `dropped` what exporters said that they dropped, by
    signal, `duplicates` how many records came more than once and were left out.
    """
    spans = [step for step in steps if step["source"] == "span"]
    orphans = [step for step in steps if step["orphan"]]
    numbers = {step["sequence"] for step in steps if step["sequence"]}
    highest = max((step[name] or 0 for step in steps for name in ("sequence", "sequence_last")), default=0)
    redactions: Counter[str] = Counter()
    for step in steps:
        if step["redactions"]:
            redactions.update(step["redactions"])
    running = run["status"] == "running"
    open_spans = [step["record_id"] for step in spans if step["ended_at"] is None]
    unended = max(_open_runs(spans, steps), int(running or run["status"] == "abandoned")) + len(open_spans)
    result = {
        "records": len(steps),
        "spans": len(spans),
        "events": len(steps) - len(spans),
        "duplicates": duplicates,
        "orphans": len(orphans),
        "missing_parents": sorted({str(step["parent_span_id"]) for step in orphans})[:_NAMED_AT_MOST],
        "unended": unended,
        "unended_spans": open_spans[:_NAMED_AT_MOST],
        "numbered": sum(1 for step in steps if step["sequence"] is not None),
        "highest_number": highest or None,
        "gaps": run["gaps"],
        "missing_numbers": [] if running else list(islice(_missing(numbers, highest), _NAMED_AT_MOST)),
        "withheld": redactions.get("WITHHELD", 0),
        "redactions": {entity: count for entity, count in sorted(redactions.items()) if entity != "WITHHELD"},
        "dropped": dict(dropped),
        "after_end": _after_end(run, spans, steps),
        "sampled": any("th:" in (step.get("trace_state") or "") for step in spans),
        "clock_anomalies": list(anomalies),
        "corrected": _corrected(steps),
    }
    nothing_missing = not (orphans or run["gaps"] or unended or dropped or result["sampled"])
    return {"complete": nothing_missing and bool(result["withheld"] == 0), **result}


def _ended(spans: Sequence[Step]) -> list[Step]:
    return [step for step in spans if step["kind"] == "run" or (step["parent_span_id"] is None and step["kind"] != "other")]


def _open_runs(spans: Sequence[Step], steps: Sequence[Step]) -> int:
    """How many parts of the run said that they began, and never that they ended."""
    started = sum(1 for step in steps if step["source"] == "event" and "run.started" in {step["event_name"], step["name"]})
    return started - len(_ended(spans))


def _after_end(run: Mapping[str, Any], spans: Sequence[Step], steps: Sequence[Step]) -> list[str]:
    ends = [begin_ns(step) + step["end_ns"] - step["start_ns"] for step in _ended(spans) if step["end_ns"]]
    if not ends or run["ended_at"] is None:
        return []
    end = max(ends)
    return [step["record_id"] for step in steps if begin_ns(step) > end][:_NAMED_AT_MOST]


def _missing(numbers: Set[int], highest: int) -> Iterator[int]:
    """The numbers from 1 to the highest that no record has, one by one: a false end may declare any."""
    return (number for number in range(1, highest + 1) if number not in numbers)


def _corrected(steps: Sequence[Step]) -> dict[str, Any] | None:
    """When the run was by clocks that agree; None where nothing was corrected."""
    if not any(step["clock_offset_ms"] for step in steps):
        return None
    times = []
    for step in steps:
        offset = timedelta(milliseconds=step["clock_offset_ms"] or 0)
        times.append((step["started_at"] + offset, (step["ended_at"] or step["started_at"]) + offset))
    begin, end = min(first for first, _ in times), max(last for _, last in times)
    return {"started_at": begin, "last_at": end, "duration_ms": (end - begin) / timedelta(milliseconds=1)}
