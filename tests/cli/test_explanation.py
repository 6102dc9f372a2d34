"""What `auditlake run` says of a run before its tree, as facts about the words; and the silence that readers may choose."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.commands import run, runs
from cli.commands._lake import silence_seconds
from cli.explanation import explanation
from collector.config import DEFAULT
from storage.lake import Lake
from storage.runs import reconstruct
from tests.lake_builder import START_NS, event, model, span, write_lake

ARGUMENTS = {"gen_ai.tool.call.arguments": '{"q":"x"}'}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The lines about a run in which much went wrong, by label."""
    data = tmp_path_factory.mktemp("explained")
    front, worker = ({"resource_attributes": {"service.name": name}} for name in ("front", "worker"))
    root = {"step_kind": "agent", "agent_name": "planner", "agent_version": "2.1", "status_code": 2, "error_type": "TimeoutError"}
    calls = [
        span("search", id=f"t{number}", parent="root", at=2 + number / 10, took=0.1, step_kind="tool", tool_name="search",
             attributes=ARGUMENTS, status_code=2 * (number == 0), **front)
        for number in range(5)
    ]  # fmt: skip
    spans = [
        span("answer", id="root", took=9, actor="u-7", tenant="acme", **root, **front), *calls,
        model("chat", parent="root", at=1, sent_cost_usd=0.75, **front),
        span("handoff", parent="root", at=1.5, handoff_to="writer", **front),
        span("worker", id="w", parent="root", at=-300, took=2, step_kind="agent", agent_name="researcher", **worker),
        span("rm", parent="gone", at=5, step_kind="tool", status_code=2, error_type="PermissionError"),
    ]  # fmt: skip
    decided = {"trace": "trace-1", "inside": "root"}
    events = [
        event("policy.decision", at=2.1, step_kind="policy", decision="deny", reason_code="no_shell", **decided),
        event("approval", at=4, step_kind="approval", approval_state="granted", approver="kim", action="refund", **decided),
        event("late", at=12, **decided),
    ]
    write_lake(data, spans=spans, events=events)
    with Lake.open(data, clock=lambda: START_NS + 7200 * 10**9) as lake:
        found: dict[str, Any] | None = reconstruct(lake, "run-1")
    assert found is not None
    return {label: text for label, text, _ in reversed(explanation(found))}


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("who", "agent planner · actor u-7 · tenant acme"),
        ("when", "by clocks that agree from 2026-11-21 12:00:00 UTC"),
        ("used", "$0.5000 · the agent says $0.7500"),
        ("versions", "agent 2.1 · model gpt-5"),
        ("stopped", "it ran out of time: agent answer: TimeoutError"),
        ("complete", "1 step whose parent is missing, 1 step after the end"),
        ("clocks", "worker is about 5.0 min behind of front (1 step): taken out below"),
        ("loop", "search: 4 times with the same arguments, 4 in a row"),
        ("agents", "planner → researcher (delegation) · planner → writer (handoff)"),
        ("approvals", "refund granted by kim"),
        ("policy", "1 deny: no_shell"),
        ("integrity", "unverified"),
    ],
)
def test_a_run_is_explained(said: dict[str, str], label: str, part: str) -> None:
    """A failed call that was made again with success is not why the run stopped."""
    assert part in said[label]


def test_the_reader_says_which_silence_abandons_a_run(tmp_path: Path) -> None:
    """A run of long ago without an end is abandoned, unless the reader waits for a thousand years."""
    write_lake(tmp_path, events=[event("run.started", step_kind="run", at=-10 * 365 * 86_400)])
    app = typer.Typer()
    runs.register(app)
    run.register(app)

    def status(*options: str) -> str:
        result = CliRunner().invoke(app, ["run", "run-1", "--data", str(tmp_path), "--format", "json", *options])
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["run"]["status"])

    assert (status(), status("--abandoned-after", "52000w")) == ("abandoned", "running")
    for wrong in ("soon", "0m", "10"):
        result = CliRunner().invoke(app, ["runs", "--data", str(tmp_path), "--abandoned-after", wrong])
        assert (result.exit_code, "→" in result.stderr) == (2, True)


def test_the_configuration_says_which_silence_abandons_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before it; a configuration with errors keeps nobody from reading."""
    monkeypatch.chdir(tmp_path)
    assert silence_seconds() == 900
    text = DEFAULT.replace("service:\n", "service:\n  abandoned_after: 2h\n")
    (tmp_path / "otel-config.yaml").write_text(text)
    assert (silence_seconds(), silence_seconds("90s")) == (7200, 90)
    (tmp_path / "otel-config.yaml").write_text(text.replace("2h", "never"))
    assert silence_seconds() == 900
