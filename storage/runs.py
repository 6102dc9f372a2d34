"""Runs for people: the list, and one run reconstructed as a tree with a statement of what is missing from it.

A reconstruction never hides: a step whose parent did not come stands at the top level and is counted, so does a step of a cycle,
and what cannot be known is None.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from storage.errors import StorageError
from storage.excerpt import Excerpt, excerpt
from storage.lake import Lake
from storage.views import query_sql

SORTS: Final = (
    "started_at", "ended_at", "duration_ms", "cost_usd", "input_tokens", "output_tokens", "steps", "model_calls", "tool_calls",
    "errors", "status", "agent_name", "tenant", "name",
)  # fmt: skip
"""What a list of runs can be sorted by."""
STATUSES: Final = ("ok", "error", "running", "abandoned")
_MARGIN_NS: Final = 3600 * 1_000_000_000
_BEFORE_NS: Final = 300 * 1_000_000_000
"""How long before a run the parent of its first step may begin: the web request around it."""
_NAMED_AT_MOST: Final = 100
_COSTLY: Final = ("status", "model", "tool", "min_cost_usd", "min_duration_ms", "text")
"""Filters that need more than the ids of a run's records."""

Step = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs, in which order, which part of the list. None means any; times are naive UTC and of the run's start."""

    since: datetime | None = None
    until: datetime | None = None
    agent: str | None = None
    tenant: str | None = None
    status: str | None = None
    model: str | None = None  # asked for or answered with, in any step
    tool: str | None = None  # called in any step
    release: str | None = None
    environment: str | None = None
    session: str | None = None
    min_cost_usd: float | None = None
    min_duration_ms: float | None = None
    text: str | None = None  # part of the run's name, whatever its case
    sort: str = "started_at"
    descending: bool = True
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A part of the list, and how many runs the whole list has."""

    rows: list[dict[str, Any]]
    total: int


def list_runs(lake: Lake, wanted: RunFilter) -> list[dict[str, Any]]:
    """Return rows of the view `runs`; times are naive UTC datetimes. Raises `StorageError`."""
    return page_runs(lake, wanted).rows


def page_runs(lake: Lake, wanted: RunFilter) -> RunPage:
    """Return the rows and how many there are without `limit` and `offset`. Raises `StorageError`."""
    if wanted.sort not in SORTS:
        raise StorageError("sort runs", wanted.sort, hint=f"choose one of {', '.join(SORTS)}")
    params = {name: getattr(wanted, name) for name in RunFilter.__dataclass_fields__}
    params |= {"page_size": wanted.limit, "page_start": wanted.offset}
    from_ns = None if wanted.since is None else _unix_ns(wanted.since) - _MARGIN_NS
    simple = wanted.sort == "started_at" and all(getattr(wanted, name) is None for name in _COSTLY)
    page = (_newest if simple else _any)(lake, wanted, params, from_ns)
    return RunPage(rows=[row for found in page.rows if (row := _whole(lake, found, from_ns, wanted.since)) is not None], total=page.total)


def _any(lake: Lake, wanted: RunFilter, params: Mapping[str, Any], from_ns: int | None) -> RunPage:
    order = f"{wanted.sort} {'DESC' if wanted.descending else 'ASC'}"
    rows = lake.sql(query_sql("run_list").format(order=order), params, from_ns=from_ns).to_pylist()
    total = int(rows[0]["total"]) if rows else 0
    return RunPage(rows=[{name: value for name, value in row.items() if name != "total"} for row in rows], total=total)


def _newest(lake: Lake, wanted: RunFilter, params: Mapping[str, Any], from_ns: int | None) -> RunPage:
    """The same for the usual list: first which runs, by a few columns, then all about those, from the time that they took."""
    order = "DESC" if wanted.descending else "ASC"
    found = lake.sql(query_sql("run_newest").format(order=order), params, from_ns=from_ns).to_pylist()
    if not found:
        return RunPage(rows=[], total=0)
    window = (min(row["first_ns"] for row in found) - _BEFORE_NS, max(row["last_ns"] for row in found))
    ids = [row["run_id"] for row in found]
    files = {"from_ns": window[0] - _MARGIN_NS, "to_ns": window[1] + _MARGIN_NS}
    rows = lake.sql(query_sql("run_rows"), {"run_ids": ids}, rows=window, **files).to_pylist()
    by_id = {row["run_id"]: row for row in rows}
    return RunPage(rows=[by_id[name] for name in ids if name in by_id], total=int(found[0]["total"]))


def reconstruct(lake: Lake, run_id: str) -> dict[str, Any] | None:
    """Return everything about a run: `run` (row of the view), `steps` (ordered tree), `completeness`, `integrity`; None if unknown.

    `run_id` may be a trace of the run. Steps come parents first; each has the columns of the view `steps` and `depth` (0 at the
    top) and `parent_record_id` (None at the top). Times are naive UTC datetimes, maps are dictionaries. Raises `StorageError`.
    """
    with excerpt(lake, run_id) as found:
        rows = found.named("run_row")
        if not rows:
            return None
        run = rows[0]
        known = {tuple(row.values()) for row in found.named("known_spans")}
        steps = _tree(found.named("run_steps"), known)
    completeness = _completeness(run, steps, _dropped(lake, run))
    return {"run": run, "steps": steps, "completeness": completeness, "integrity": _integrity(steps)}


def find(lake: Lake, text: str) -> list[str]:
    """Return the run ids that `text` can mean: itself, the run of that trace, or those that begin with it (at most three)."""
    final = lake.catalog.run_of_traces([text]).get(text, text)
    if lake.catalog.run_span(final) is not None:
        return [final]
    return lake.run_ids(text, limit=3)


def _whole(lake: Lake, row: dict[str, Any], from_ns: int | None, since: datetime | None) -> dict[str, Any] | None:
    """Return the row of a run that began before the files that were read from all of its files; None when it is not wanted then."""
    span = None if from_ns is None or since is None else lake.catalog.run_span(row["run_id"])
    if span is None or from_ns is None or since is None or span[0] >= from_ns:
        return row
    with excerpt(lake, row["run_id"]) as found:
        rows = found.named("run_row")
    return rows[0] if rows and rows[0]["started_at"] >= since else None


def _tree(rows: Sequence[Step], known: Set[tuple[str, ...]]) -> list[Step]:
    """Order steps depth first, siblings by their beginning; every step appears exactly once, also those of a cycle.

    `known` are all spans of the run's traces: a parent that belongs to another run is no missing parent.
    """
    spans: dict[tuple[str | None, str | None], Step] = {}
    for row in rows:
        if row["source"] == "span":
            spans.setdefault((row["trace_id"], row["span_id"]), row)
    children: dict[str, list[Step]] = {}
    tops: list[Step] = []
    for row in rows:
        parent = spans.get((row["trace_id"], row["parent_span_id"])) if row["parent_span_id"] else None
        row["orphan"] = bool(row["parent_span_id"]) and (row["trace_id"], row["parent_span_id"]) not in known
        row["parent_record_id"] = None if parent is None or parent is row else parent["record_id"]
        (tops if row["parent_record_id"] is None else children.setdefault(row["parent_record_id"], [])).append(row)
    ordered: list[Step] = []
    seen: set[str] = set()
    for top in tops:
        _descend(top, children, ordered, seen)
    for row in rows:  # what is left goes round in circles
        if row["record_id"] not in seen:
            row["parent_record_id"], row["orphan"] = None, True
            _descend(row, children, ordered, seen)
    return ordered


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


def _completeness(run: Mapping[str, Any], steps: Sequence[Step], dropped: Mapping[str, int]) -> dict[str, Any]:
    spans = [step for step in steps if step["source"] == "span"]
    orphans = [step for step in steps if step["orphan"]]
    started = sum(1 for step in steps if step["source"] == "event" and step["event_name"] == "run.started")
    ended = [step for step in spans if step["kind"] == "run" or (step["parent_span_id"] is None and step["kind"] != "other")]
    numbers = {step["sequence"] for step in steps if step["sequence"]}
    highest = max((step[name] or 0 for step in steps for name in ("sequence", "sequence_last")), default=0)
    end_ns = max((step["end_ns"] or 0 for step in ended), default=None)
    late = [step["record_id"] for step in steps if end_ns and run["ended_at"] is not None and step["start_ns"] > end_ns]
    redactions: Counter[str] = Counter()
    for step in steps:
        redactions.update(step["redactions"] or {})
    running = run["status"] == "running"
    unended = max(started - len(ended), int(running))
    result = {
        "records": len(steps),
        "spans": len(spans),
        "events": len(steps) - len(spans),
        "orphans": len(orphans),
        "missing_parents": sorted({str(step["parent_span_id"]) for step in orphans})[:_NAMED_AT_MOST],
        "unended": unended,
        "numbered": sum(1 for step in steps if step["sequence"] is not None),
        "highest_number": highest or None,
        "gaps": run["gaps"],
        "missing_numbers": [] if running else list(islice(_missing(numbers, highest), _NAMED_AT_MOST)),
        "withheld": redactions.get("WITHHELD", 0),
        "redactions": {entity: count for entity, count in sorted(redactions.items()) if entity != "WITHHELD"},
        "dropped": dict(dropped),
        "after_end": late[:_NAMED_AT_MOST],
        "sampled": any("th:" in (step.get("trace_state") or "") for step in spans),
    }
    nothing_missing = not (orphans or run["gaps"] or unended or dropped or result["sampled"])
    return {"complete": nothing_missing and bool(result["withheld"] == 0), **result}


def _missing(numbers: Set[int], highest: int) -> Iterator[int]:
    """The numbers from 1 to the highest that no record has, one by one: a false end may declare any."""
    return (number for number in range(1, highest + 1) if number not in numbers)


def _dropped(lake: Lake, run: Mapping[str, Any]) -> dict[str, int]:
    start = _unix_ns(run["started_at"])
    end = _unix_ns(run["last_at"]) + _MARGIN_NS
    params = {"agent_name": run["agent_name"], "from_time": run["started_at"], "to_time": run["last_at"]}
    rows = lake.named("dropped_records", from_ns=start, to_ns=end, **params).to_pylist()
    return {row["signal"]: row["dropped"] for row in rows if row["dropped"]}


def _integrity(steps: Iterable[Step]) -> dict[str, Any]:
    """Where the run's records stand, and that nobody has verified them: there is no ledger to verify them against."""
    entries: dict[str, set[int]] = {}
    for step in steps:
        entries.setdefault(str(step["origin"]), set()).add(int(step["entry"]))
    return {
        "verified": None,
        "state": "unverified",
        "statement": "these records were not checked against a tamper-evident log: their integrity is not proven",
        "origins": [{"origin": origin, "entries": sorted(numbers)} for origin, numbers in sorted(entries.items())],
    }


def _unix_ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1e6) * 1000


__all__ = ["SORTS", "STATUSES", "Excerpt", "RunFilter", "RunPage", "find", "list_runs", "page_runs", "reconstruct"]
