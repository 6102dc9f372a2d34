"""`auditlake alerts check --strict`, `test` and `eval --since`: what they print, where, and their exit codes."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.commands import alerts as command
from tests.alerts.agent_lake import NOW, AgentLake

MINUTE = timedelta(minutes=1)
RULES = """\
groups:
  - name: g
    interval: 1m
    rules:
      - record: agent:calls
        expr: |
          SELECT agent_name, count(*) AS value FROM tool_calls
          WHERE started_at > $eval_ts - INTERVAL 2 MINUTE AND started_at <= $eval_ts GROUP BY ALL
      - alert: Busy
        expr: SELECT labels['agent_name'] AS agent_name, value FROM recordings WHERE name = 'agent:calls' AND time = $eval_ts AND value >= 2
        for: 1m
        labels: {severity: warning}
        annotations: {summary: "{{ labels.agent_name }} made {{ value | number }} calls", runbook: docs/runbooks/busy.md}
      - alert: Once
        expr: SELECT agent_name, 1 AS value FROM tool_calls WHERE started_at = $eval_ts
        labels: {severity: warning}
        annotations: {summary: one call, runbook: docs/runbooks/once.md}
"""
TESTS = """\
rule_files: [rules.yaml]
tests:
  - name: two calls in two minutes
    input_tables: {spans: [{offset: 1m, times: 4, span_id: "{n}", trace_id: t, step_kind: tool, tool_name: x, agent_name: a}]}
    alert_rule_test:
      - {eval_time: 2m, alertname: Busy}
      - {eval_time: 3m, alertname: Busy, exp_alerts: [{exp_labels: {agent_name: a, severity: warning}}]}
"""


@pytest.fixture
def auditlake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "tests.yaml").write_text(TESTS)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


def run(app: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(app, ["alerts", *map(str, words)])


def test_a_warning_is_an_error_when_that_is_asked_for(auditlake: typer.Typer, tmp_path: Path) -> None:
    good, bad = tmp_path / "rules.yaml", tmp_path / "bad.yaml"
    bad.write_text(RULES.replace(", runbook: docs/runbooks/busy.md", ""))
    assert run(auditlake, "check", "--strict", good).exit_code == 0
    lenient, strict = run(auditlake, "check", bad), run(auditlake, "check", "--strict", bad)
    assert (lenient.exit_code, strict.exit_code) == (0, 1)
    said = f"{bad}:9: groups[0].rules[1].alert: warning: it has no runbook: add the annotation runbook, with the page that says what to do"
    assert lenient.stderr.splitlines() == strict.stderr.splitlines() == [said]
    assert strict.stdout == f"{bad}: ok, 3 rules in 1 group\n"


def test_the_same_rules_in_two_files_are_warned_of(auditlake: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "copy.yaml").write_text(RULES)
    result = run(auditlake, "check", "rules.yaml", "copy.yaml")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["copy.yaml"] * 3


def test_unit_tests_that_pass_fail_and_cannot_be_read(auditlake: typer.Typer, tmp_path: Path) -> None:
    passed = run(auditlake, "test", "tests.yaml")
    assert (passed.exit_code, passed.output) == (0, "tests.yaml: ok, 1 test\n")
    failing = tmp_path / "failing.yaml"
    failing.write_text(TESTS.replace("eval_time: 2m", "eval_time: 4m"))
    failed = run(auditlake, "test", "tests.yaml", failing)
    assert failed.exit_code == 1
    assert failed.stdout.splitlines() == [
        "tests.yaml: ok, 1 test",
        f"{failing}:6: test 'two calls in two minutes', alertname: Busy, time: 4m",
        "    exp: nothing",
        "    got: {agent_name='a', severity='warning'}",
        f"{failing}: FAILED, 1 test, 1 failure",
    ]
    broken = tmp_path / "broken.yaml"
    broken.write_text(TESTS.replace("exp_labels", "exp_label"))
    malformed = run(auditlake, "test", failing, broken)
    assert malformed.exit_code == 2
    assert f"{broken}:7: tests[0].alert_rule_test[1].exp_alerts[0].exp_label: unknown key 'exp_label'" in malformed.stderr


def test_unit_tests_of_rules_that_are_malformed(auditlake: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("groups: [{nam: g}]")
    result = run(auditlake, "test", "tests.yaml")
    assert result.exit_code == 2
    assert "rules.yaml:1: groups[0].nam: unknown key 'nam'" in result.stderr


def test_replay_says_when_alerts_would_have_fired(auditlake: typer.Typer, tmp_path: Path) -> None:
    lake = AgentLake(tmp_path / "lake")
    for minutes in (30, 29, 28, 27, 10):
        lake.tool(minutes * MINUTE)
    lake.seal()
    since, until = (NOW - timedelta(hours=1)).isoformat(), NOW.isoformat()
    words = ["eval", "rules.yaml", "--data", lake.data, "--since", since, "--until", until, "--format", "json"]
    result = run(auditlake, *words, "--alert", "Busy")
    assert result.exit_code == 0, result.output
    [row] = json.loads(result.stdout)
    assert (row["alert"], row["labels"], row["value"]) == ("Busy", {"agent_name": "support", "severity": "warning"}, 2.0)
    assert (row["pending_at"], row["fired_at"], row["resolved_at"]) == (
        "2026-11-21T11:32:00.000000Z",
        "2026-11-21T11:33:00.000000Z",
        "2026-11-21T11:35:00.000000Z",
    )
    assert row["summary"] == "support made 2 calls"
    assert not (lake.data / "alerts.sqlite").exists(), "nothing is remembered"
    coarse = run(auditlake, *words, "--step", "10m")
    assert json.loads(coarse.stdout) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "2026-11-21T12:00:00Z", "--since", "1h"], "give one of them"),
        (["--until", "1h"], "--until is for a replay"),
        (["--step", "5m"], "--step is for a replay"),
        (["--since", "1h", "--step", "often"], "--step is not a duration"),
        (["--since", "1h", "--step", "1ms"], "--step is shorter than a second"),
        (["--since", "sometime"], "--since sometime is not a time"),
        (["--since", "1h", "--alert", "Bussy"], "unknown alert 'Bussy': did you mean 'Busy'?"),
        (["--since", "4000d"], "evaluations are too many"),
    ],
)
def test_replays_that_mean_nothing(auditlake: typer.Typer, tmp_path: Path, words: list[str], said: str) -> None:
    data = AgentLake(tmp_path / "lake").seal().data
    result = run(auditlake, "eval", "rules.yaml", "--data", data, *words)
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
