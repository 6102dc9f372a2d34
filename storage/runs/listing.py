"""The list of runs, and finding one by a part of its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from storage.errors import StorageError
from storage.excerpt import excerpt
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
_COSTLY: Final = ("status", "model", "tool", "min_cost_usd", "min_duration_ms", "text")
"""Filters that need more than the ids of a run's records."""


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
        whole = found.run
    return whole if whole is not None and whole["started_at"] >= since else None


def _unix_ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1e6) * 1000
