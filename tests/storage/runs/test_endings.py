"""How runs end: status, why they stopped, how long they planned, and runs that last for days. Each fact is a run of one lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.lake import Lake
from storage.runs import RunFilter, find, list_runs, reconstruct
from tests.lake_builder import START_NS, event, model, span, write_lake

HOUR = 3600


def failing(error: str | None, **columns: Any) -> dict[str, Any]:
    return span("agent", step_kind="agent", status_code=2, error_type=error, **columns)


ENDINGS: dict[str, tuple[list[dict[str, Any]], str, str | None]] = {
    "ok": ([span("agent", step_kind="agent")], "ok", "completed"),
    "failed": ([failing(None)], "error", "error"),
    "timed out": ([failing("httpx.ReadTimeout")], "error", "timeout"),
    "deadline": ([failing("DEADLINE_EXCEEDED")], "error", "timeout"),
    "turns": ([failing("agents.exceptions.MaxTurnsExceeded")], "error", "max_steps"),
    "recursion": ([failing("langgraph.errors.GraphRecursionError")], "error", "max_steps"),
    "budget": ([failing("pydantic_ai.exceptions.UsageLimitExceeded")], "error", "budget"),
    "cancelled": ([failing("asyncio.CancelledError")], "error", "cancelled"),
    "killed": ([failing("SIGTERM")], "error", "killed"),
    "stated": ([failing("ValueError", stop_reason="budget")], "error", "budget"),
    "stated by a timeout that no status tells": ([span("agent", step_kind="agent", stop_reason="timeout")], "error", "timeout"),
    "a sub-agent that gave up does not end the run": (
        [span("agent", step_kind="agent", took=5), span("sub", parent="agent", step_kind="agent", stop_reason="max_steps")],
        "ok", "completed",
    ),
    "below a web request": (
        [span("POST /", step_kind="other", took=9), failing("TimeoutError", parent="POST /", took=5)], "error", "timeout",
    ),
    "outer and inner agent end together": (
        [span("POST /", took=9), span("outer", parent="POST /", step_kind="agent", took=5),
         span("inner", parent="outer", step_kind="agent", at=1, took=4, status_code=2)], "ok", "completed",
    ),
    "its root never came": ([span("step", parent="lost")], "abandoned", "abandoned"),
    "its root never came, its agent's step did": ([span("agent", parent="lost", step_kind="agent")], "ok", None),
    "its root never came, and a log record said why": (
        [span("step", parent="lost"), event("stopped", stop_reason="budget")], "ok", "budget",
    ),
    "abandoned": ([event("run.started", step_kind="run")], "abandoned", "abandoned"),
}  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data = tmp_path_factory.mktemp("endings")
    rows = [row | {"run_id": name, "trace_id": name} for name, (parts, _, _) in ENDINGS.items() for row in parts]
    planned = {"run": "planned", "trace": "planned"}
    rows += [
        span("agent", step_kind="agent", took=10, **planned), span("plan", parent="agent", operation="plan", took=2, **planned),
        span("part", parent="plan", operation="plan", at=1, took=2, **planned),
        span("again", parent="agent", operation="plan", at=6, **planned),
        span("stated", step_kind="agent", run="stated planning", trace="stated planning", planning_ms=7.0, execution_ms=8.0),
    ]  # fmt: skip
    events = [row for row in rows if "event_name" in row]
    write_lake(data, spans=[row for row in rows if "event_name" not in row], events=events)
    long = {"run": "long", "trace": "t-long"}
    write_lake(data, spans=[span("root", at=-60 * HOUR, took=60 * HOUR, run="t-long", trace="t-long")])
    for day in (-2, -1, 0):
        write_lake(data, spans=[span(f"day {day}", parent="root", at=day * 24 * HOUR, **long)])
    with Lake.open(data, clock=lambda: START_NS + HOUR * 1_000_000_000) as opened:
        yield opened


@pytest.fixture(scope="module")
def listed(lake: Lake) -> dict[str, dict[str, Any]]:
    """The rows of all runs."""
    return {row["run_id"]: row for row in list_runs(lake, RunFilter(limit=100))}


@pytest.mark.parametrize("name", ENDINGS)
def test_how_a_run_ended(listed: dict[str, dict[str, Any]], name: str) -> None:
    assert (listed[name]["status"], listed[name]["stop_reason"]) == ENDINGS[name][1:]


def test_planning_is_the_time_in_plan_steps_counted_once(lake: Lake) -> None:
    """From 0 to 3 s and from 6 to 7 s; the rest is execution. What the agent states goes before."""
    rows = {row["run_id"]: row for row in list_runs(lake, RunFilter(limit=100))}
    assert (rows["planned"]["planning_ms"], rows["planned"]["execution_ms"]) == (4000.0, 6000.0)
    assert (rows["stated planning"]["planning_ms"], rows["stated planning"]["execution_ms"]) == (7.0, 8.0)
    assert (rows["ok"]["planning_ms"], rows["ok"]["execution_ms"]) == (None, None)


def test_a_run_over_days_is_whole_from_each_of_its_parts(lake: Lake) -> None:
    """Its parent began days before it, outside of the run, and in a file that the run's own time leaves out."""
    found = reconstruct(lake, "long")
    assert found is not None
    assert [step["name"] for step in found["steps"]] == ["day -2", "day -1", "day 0"]
    assert (found["run"]["orphans"], found["completeness"]["orphans"], found["completeness"]["complete"]) == (0, 0, True)
    assert find(lake, "lon") == ["long"]


def test_the_silence_that_abandons_a_run_is_the_readers_to_say(lake: Lake) -> None:
    with Lake.open(lake.data, clock=lambda: START_NS + HOUR * 1_000_000_000, abandoned_after_seconds=2 * HOUR) as patient:
        found = reconstruct(patient, "abandoned")
    assert found is not None
    assert (found["run"]["status"], found["run"]["stop_reason"], found["completeness"]["unended"]) == ("running", None, 1)


def test_the_row_of_a_reconstruction_is_that_of_the_list(tmp_path: Path) -> None:
    """An excerpt leaves views out that its rows cannot need; whatever needs them, both say the same."""
    said = {"step_kind": "tool", "tool_name": "search", "attributes": {"gen_ai.tool.call.arguments": "{}"}}
    events = [{"time_ns": START_NS + 10**9, "name": "step.1.search", "attributes": [("step.duration_ms", "3"), ("step.tool", "search")]}]
    spans = [
        span("waits", run="approval", trace="a", step_kind="agent", approval_state="requested", tool_call_id="c"),
        span("resumed", run="approval", trace="a", at=9, step_kind="agent", approval_state="granted", tool_call_id="c"),
        span("agent.execution.1", run="execution", trace="b", dialect="execution", operation="agent.execution", events=events),
        span("go (pending)", run="pending", trace="c", parent="go", dialect="logfire", operation="pending_span"),
        span("tool", run="told", trace="d", dialect="claude-code", **said), span("again", run="told", trace="d", at=1, **said),
        model("outer", run="nested", trace="e"), model("inner", run="nested", trace="e", parent="outer"),
        model("failed", run="nested", trace="e", at=2, tokens=None, status_code=2),
    ]  # fmt: skip
    logged = [event("tool_result", run="told", trace="d", dialect="claude-code", step_kind="tool", tool_name="search")]
    write_lake(tmp_path, spans=spans, events=logged)
    with Lake.open(tmp_path, clock=lambda: START_NS + HOUR * 1_000_000_000) as lake:
        rows = {row["run_id"]: row for row in lake.sql("SELECT * FROM runs").to_pylist()}
        assert sorted(rows) == ["approval", "execution", "nested", "pending", "told"]
        for name, row in rows.items():
            found = reconstruct(lake, name)
            assert found is not None
            assert found["run"] == row, name
            assert len(found["steps"]) == row["steps"] or name == "told", name
