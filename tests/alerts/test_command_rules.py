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


SLOS = """\
service: calls
interval: 1m
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: SELECT started_at AS time, agent_name, 1 AS value FROM tool_calls WHERE status = 'error'
        total_query: SELECT started_at AS time, agent_name, 1 AS value FROM tool_calls
"""
CALLS = "{offset: %s, times: %d, span_id: '%s{n}', trace_id: t, step_kind: tool, tool_name: x, agent_name: a, status_code: %d}"
PAGE, TICKET = (
    f"{{exp_labels: {{service: calls, slo: availability, agent_name: a, severity: {severity}, urgency: {urgency}}}}}"
    for severity, urgency in (("critical", "page"), ("warning", "ticket"))
)
OF_SLOS = f"""\
rule_files: [slos.yaml]
evaluation_interval: 10m
tests:
  - name: one in a hundred is allowed
    interval: 1s
    input_tables: {{spans: [{CALLS % ("0m", 990, "good", 0)}, {CALLS % ("0m", 10, "bad", 2)}]}}
    alert_rule_test: [{{eval_time: 20m, alertname: AvailabilityBurnRate}}]
  - name: one more is a ticket
    interval: 1s
    input_tables: {{spans: [{CALLS % ("0m", 989, "good", 0)}, {CALLS % ("0m", 11, "bad", 2)}]}}
    alert_rule_test: [{{eval_time: 20m, alertname: AvailabilityBurnRate, exp_alerts: [{TICKET}]}}]
  - name: what is broken pages, and recovers, the ticket hours later
    interval: 1m
    input_tables: {{spans: [{CALLS % ("0m", 20, "bad", 2)}, {CALLS % ("20m", 600, "good", 0)}]}}
    alert_rule_test:
      - {{eval_time: 20m, alertname: AvailabilityBurnRate, exp_alerts: [{PAGE}, {TICKET}]}}
      - {{eval_time: 1h, alertname: AvailabilityBurnRate, exp_alerts: [{TICKET}]}}
      - {{eval_time: 7h, alertname: AvailabilityBurnRate}}
  - name: without events nothing fires
    alert_rule_test: [{{eval_time: 20m, alertname: AvailabilityBurnRate}}]
"""


def test_unit_tests_of_objectives(auditlake: typer.Typer, tmp_path: Path) -> None:
    """Firing, not firing just below, no data, recovery; what is wrong is told as of rules."""
    (tmp_path / "slos.yaml").write_text(SLOS)
    (tmp_path / "tests.yaml").write_text(OF_SLOS)
    assert run(auditlake, "test", "tests.yaml").output == "tests.yaml: ok, 4 tests\n"
    (tmp_path / "tests.yaml").write_text(OF_SLOS.split("  - name: what is broken", maxsplit=1)[0])
    (tmp_path / "slos.yaml").write_text(SLOS.replace("objective: 99", "objective: 98"))
    assert "test 'one more is a ticket', alertname: AvailabilityBurnRate, time: 20m" in run(auditlake, "test", "tests.yaml").stdout
    (tmp_path / "slos.yaml").write_text(SLOS.replace("agent_name, 1 AS value FROM tool_calls WHERE", "1 AS value FROM nothing WHERE"))
    refused = run(auditlake, "test", "tests.yaml")
    assert (refused.exit_code, "no view of this name" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("before", "after", "line", "path", "said"),
    [
        ("objective: 99", "objective: 0", 5, "slos[0].objective", "a percentage above 0"),
        ("status = 'error'", "statuz = 'error'", 8, "slos[0].sli.events.error_query", "statuz"),
        ("1 AS value FROM tool_calls\n", "1 AS number FROM tool_calls\n", 9, "slos[0].sli.events.total_query", "value"),
        ("sli:", "slis:", 6, "slos[0].slis", "unknown key"),
    ],
)
def test_check_says_where_files_of_objectives_are_wrong(
    auditlake: typer.Typer, tmp_path: Path, before: str, after: str, line: int, path: str, said: str
) -> None:
    (tmp_path / "slos.yaml").write_text(SLOS)
    assert run(auditlake, "check", "slos.yaml").stdout == "slos.yaml: ok, 1 SLO\n"
    assert before in SLOS
    (tmp_path / "slos.yaml").write_text(SLOS.replace(before, after))
    refused = run(auditlake, "check", "slos.yaml", "rules.yaml")
    assert (refused.exit_code, refused.stdout) == (2, "rules.yaml: ok, 3 rules in 1 group\n")
    assert any(told.startswith(f"slos.yaml:{line}: {path}: ") and said in told for told in refused.stderr.splitlines()), refused.stderr


def test_objectives_are_evaluated_at_any_time_and_over_the_past(auditlake: typer.Typer, tmp_path: Path) -> None:
    """As the scheduler would have: from the tenth bad event on, and as long as the windows say; nothing is kept."""
    lake = AgentLake(tmp_path / "lake")
    for minutes in range(240, 220, -1):
        lake.tool(minutes * MINUTE, error=True)
    for minutes in range(220, 0, -1):
        lake.tool(minutes * MINUTE)
    lake.seal()
    (tmp_path / "slos.yaml").write_text(SLOS)
    asked = ("eval", "slos.yaml", "--data", lake.data, "--format", "json")
    then = run(auditlake, *asked, "--at", (NOW - 200 * MINUTE).isoformat())
    assert (then.exit_code, [(row["state"], row["labels"]["urgency"]) for row in json.loads(then.stdout)]) == (
        0,
        [("firing", "page"), ("firing", "ticket")],
    )
    assert [row["labels"]["urgency"] for row in json.loads(run(auditlake, *asked, "--at", NOW.isoformat()).stdout)] == ["ticket"]
    before = run(auditlake, *asked, "--at", (NOW - 300 * MINUTE).isoformat())
    assert (before.exit_code, json.loads(before.stdout)) == (0, [])

    since = ("--since", (NOW - 5 * 60 * MINUTE).isoformat(), "--until", NOW.isoformat(), "--step", "5m")
    page, ticket = sorted(json.loads(run(auditlake, *asked, *since).stdout), key=lambda row: str(row["labels"]["urgency"]))
    assert (page["alert"], page["labels"]["urgency"], page["labels"]["severity"]) == ("AvailabilityBurnRate", "page", "critical")
    assert page["fired_at"] == ticket["fired_at"] == "2026-11-21T08:10:00.000000Z", "ten events, each a minute after the one before"
    assert page["resolved_at"] == "2026-11-21T08:50:00.000000Z", "the last bad event left the window of half an hour"
    assert (ticket["labels"]["urgency"], ticket["resolved_at"]) == ("ticket", None)
    assert not (lake.data / "alerts.sqlite").exists(), "nothing is remembered"


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
