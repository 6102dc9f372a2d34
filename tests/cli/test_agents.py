"""`auditlake agents`: one row an agent, from its runs and its heartbeats; nothing known is nothing said."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import agents
from storage.agents import AgentFilter, agent_health
from storage.lake import Lake
from tests.lake_builder import START_NS, event, model, span, write_lake
from tests.lake_checks import check_lake

NOON = "2026-11-21T11:00:00Z"
IN_PRODUCTION = {"tenant": "acme", "environment": "production"}


def run(number: int, *, took: float, failed: bool = False, **columns: Any) -> dict[str, Any]:
    return span(
        "refund", id=f"root-{number}", run=f"run-{number}", trace=f"trace-{number}", step_kind="run", at=number * 10, took=took,
        status_code=2 if failed else 1, release="2026.11.2" if number < 3 else "2026.11.3", **IN_PRODUCTION, **columns,
    )  # fmt: skip


def beat(agent_id: str, *, at: float, interval: float = 60, **more: str) -> dict[str, Any]:
    said = {"auditlake.heartbeat.status": "idle", "auditlake.heartbeat.interval_seconds": str(interval)} | more
    return event("heartbeat", run=None, at=at, step_kind="heartbeat", agent_id=agent_id, attributes=said, **IN_PRODUCTION)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Four runs of an agent with two instances, a run of one that knows nothing of itself, and one that only beats."""
    folder = tmp_path_factory.mktemp("agents")
    first = {"run": "run-1", "trace": "trace-1", "parent": "root-1", **IN_PRODUCTION}
    tool = {**first, "step_kind": "tool", "tool_name": "search"}
    spans = [
        run(1, took=1, quality_score=0.8, satisfaction=1.0, planning_ms=200.0, execution_ms=800.0), run(2, took=2, quality_score=0.6),
        run(3, took=3), run(4, took=10, failed=True),
        span("search", id="tool-1", at=10.1, took=0.1, **tool), span("search", id="tool-2", at=10.2, took=0.1, status_code=2, **tool),
        model("chat", id="chat-1", at=10.3, took=0.1, cost=0.25, prompt_version="7", **first),
        span("work", id="other", run="other", trace="other", step_kind="agent", agent_name="silent", at=5, **IN_PRODUCTION),
    ]  # fmt: skip
    events = [
        beat("a-1", at=30, **{"auditlake.heartbeat.config_version": "12", "auditlake.heartbeat.newest_config_version": "13"}),
        beat("a-2", at=-600),
        event("heartbeat", run=None, at=40, step_kind="heartbeat", agent_name="idle", attributes={"auditlake.heartbeat.status": "idle"}),
    ]
    write_lake(folder, spans=spans, events=events)
    yield folder
    check_lake(folder)


@pytest.fixture(scope="module")
def rows(data: Path) -> dict[str, dict[str, Any]]:
    with Lake.open(data, clock=lambda: START_NS + 60 * 1_000_000_000) as lake:
        return {row["agent_name"]: row for row in agent_health(lake, AgentFilter())}


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    agents.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["agents", *(str(argument) for argument in arguments)])


def test_an_agent_is_the_sum_of_its_runs(rows: dict[str, dict[str, Any]]) -> None:
    found = rows["support"]
    assert [found[name] for name in ("runs", "ok", "error", "abandoned", "running")] == [4, 3, 1, 0, 0]
    assert found["success_rate"] == 0.75
    assert found["avg_duration_ms"] == 4000
    assert found["p95_duration_ms"] == pytest.approx(8950)
    assert (found["planning_ms"], found["execution_ms"]) == (200, 800)
    assert (found["tool_calls"], found["tool_failures"], found["tool_failure_rate"]) == (2, 1, 0.5)
    assert (found["input_tokens"], found["output_tokens"], found["cost_usd"], found["unpriced_calls"]) == (100, 10, 0.25, 0)
    assert (found["quality_score"], found["satisfaction"]) == (pytest.approx(0.7), 1.0)


def test_versions_are_listed_the_newest_first(rows: dict[str, dict[str, Any]]) -> None:
    found = rows["support"]
    assert found["releases"] == ["2026.11.3", "2026.11.2"]
    assert (found["models"], found["prompt_versions"]) == (["gpt-5"], ["7"])


def test_an_agent_is_as_its_worst_instance_and_all_are_there(rows: dict[str, dict[str, Any]]) -> None:
    """a-1 beat half a minute ago; a-2 was silent for eleven declared minutes."""
    found = rows["support"]
    assert {each["agent_id"]: each["state"] for each in found["instances"]} == {"a-1": "alive", "a-2": "down"}
    assert (found["state"], found["silent_seconds"], found["upgrade_available"]) == ("down", 30, True)


def test_what_nobody_said_is_unknown(rows: dict[str, dict[str, Any]]) -> None:
    found = rows["silent"]
    unknown = (
        "planning_ms",
        "tool_failure_rate",
        "cost_usd",
        "input_tokens",
        "quality_score",
        "satisfaction",
        "state",
        "last_heartbeat_at",
    )
    assert {found[name] for name in unknown} == {None}
    assert (found["upgrade_available"], found["models"], found["instances"]) == (None, [], [])


def test_an_agent_that_only_beats_is_there(rows: dict[str, dict[str, Any]]) -> None:
    found = rows["idle"]
    assert (found["runs"], found["success_rate"], found["state"]) == (0, None, "alive")
    assert found.keys() == rows["support"].keys()


def test_filters_are_of_the_agent_and_of_its_runs(data: Path) -> None:
    found = json.loads(invoke("--data", data, "--since", "2026-11-21T12:00:25Z", "--agent", "support", "--format", "json").stdout)
    assert [(row["agent_name"], row["runs"], row["releases"]) for row in found] == [("support", 2, ["2026.11.3"])]
    assert json.loads(invoke("--data", data, "--since", "all", "--tenant", "nobody", "--format", "json").stdout) == []


def test_the_table_has_no_column_that_is_empty_everywhere_and_fits_a_terminal(data: Path) -> None:
    result = invoke("--data", data, "--since", "all", "--agent", "support")
    head, line = result.stdout.splitlines()
    assert "where" not in head
    assert all(word in line for word in ("support", "75%", "4.0 s", "50%", "$0.25", "0.70", "2026.11.3 ↑13"))
    assert len(line.rstrip()) <= 120


def test_csv_has_a_line_an_agent(data: Path) -> None:
    lines = invoke("--data", data, "--since", "all", "--format", "csv").stdout.splitlines()
    assert len(lines) == 4


def test_no_agent_is_a_hint_and_no_error(data: Path) -> None:
    result = invoke("--data", data, "--since", "2027-01-01", "--agent", "nobody")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--since all" in result.stderr
