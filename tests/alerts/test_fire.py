"""`auditlake alerts fire`: a test alert by the real routes, delivered by whoever delivers, and what became of it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from alerts.scheduler import LEASE_FILE
from alerts.state import AlertStore
from cli.commands import alerts as command
from collector.config import DEFAULT
from storage.catalog import Catalog
from storage.durable import FileLock
from tests.alerts.fakes import webhook

RULES = """\
groups:
  - name: g
    rules:
      - alert: Down
        expr: SELECT 1 AS value
        labels: {severity: critical, who: "{{ labels.agent }}"}
        annotations: {summary: "{{ labels.agent }} is down", runbook: docs/runbooks/agent-down.md}
      - {alert: Slow, expr: SELECT 1 AS value, labels: {severity: warning}}
"""
ROUTE = """\
    route: {receiver: nobody, group_by: [alertname], routes: [{matchers: ['severity="critical"'], receiver: on-call}]}
"""


@pytest.fixture
def auditlake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


def configured(folder: Path, receivers: str, more: str = ROUTE) -> Path:
    """Write a lake, rules, and a configuration with these receivers; return the data directory."""
    data = folder / "data"
    Catalog.open(data).close()
    (folder / "rules.yaml").write_text(RULES)
    alerts = f"  alerts:\n    rules: [rules.yaml]\n    external_url: http://auditlake.test\n    receivers: {receivers}\n{more}"
    lines = [line + "\n" for line in DEFAULT.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("  alerts:"))
    end = next(number for number, line in enumerate(lines[start + 1 :], start + 1) if not line.startswith("    "))
    (folder / "otel-config.yaml").write_text("".join([*lines[:start], alerts, *lines[end:]]))
    return data


def fire(app: typer.Typer, data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["alerts", "fire", *words, "--data", str(data), "--format", "json"])


def test_a_test_alert_goes_the_way_of_the_real_one(auditlake: typer.Typer, tmp_path: Path) -> None:
    """Labels of the rule, and a group of its own; who is not on its route hears nothing."""
    with webhook() as hook, webhook() as other:
        receivers = (
            f"[{{name: on-call, webhook_configs: [{{url: '{hook.url}'}}]}}, {{name: nobody, webhook_configs: [{{url: '{other.url}'}}]}}]"
        )
        data = configured(tmp_path, receivers)
        result = fire(auditlake, data, "Down", "--label", "agent=support")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == [{"receiver": "on-call", "outcome": "sent", "why": ""}]
        resolved = fire(auditlake, data, "Down", "--label", "agent=support", "--resolve")
        assert resolved.exit_code == 0, resolved.output
    assert other.requests == []
    first, second = hook.bodies
    [alert] = first["alerts"]
    assert alert["labels"] == {"alertname": "Down", "severity": "critical", "agent": "support", "test": "true"}
    assert alert["annotations"] == {
        "summary": "Down: a test: nothing is wrong, and nothing has to be done",
        "runbook": "docs/runbooks/agent-down.md",
    }
    assert first["groupLabels"] == {"alertname": "Down", "test": "true"}
    assert (first["status"], second["status"]) == ("firing", "resolved")
    assert first["groupKey"] == second["groupKey"]
    assert alert["fingerprint"] == second["alerts"][0]["fingerprint"]


def test_a_receiver_that_refuses_is_named_with_the_reason(auditlake: typer.Typer, tmp_path: Path) -> None:
    with webhook() as hook:
        hook.statuses = [410]
        data = configured(tmp_path, f"[{{name: on-call, webhook_configs: [{{url: '{hook.url}'}}]}}, {{name: nobody}}]")
        result = fire(auditlake, data, "Down")
    assert result.exit_code == 1
    [row] = json.loads(result.stdout)
    assert (row["receiver"], row["outcome"]) == ("on-call", "failed")
    assert "410" in row["why"]


def test_where_a_scheduler_runs_it_delivers(auditlake: typer.Typer, tmp_path: Path) -> None:
    """Its lease is held, so the message is left in the outbox for it."""
    with webhook() as hook:
        data = configured(tmp_path, f"[{{name: on-call, webhook_configs: [{{url: '{hook.url}'}}]}}, {{name: nobody}}]")
        lease = FileLock(data / LEASE_FILE, "hold the lease")
        result = fire(auditlake, data, "Down", "--wait", "0")
        lease.release()
        assert hook.requests == []
    assert (result.exit_code, json.loads(result.stdout)) == (1, [{"receiver": "on-call", "outcome": "waits", "why": ""}])
    store = AlertStore.open(data)
    assert [row["receiver"] for row in store.outbox()] == ["on-call"]
    store.close()


def test_what_stands_on_the_command_line_is_redacted(auditlake: typer.Typer, tmp_path: Path) -> None:
    with webhook() as hook:
        data = configured(tmp_path, f"[{{name: on-call, webhook_configs: [{{url: '{hook.url}'}}]}}, {{name: nobody}}]")
        fire(auditlake, data, "Down", "--label", "who=jane.doe@example.com")
    assert "jane.doe" not in json.dumps(hook.bodies)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["Dwn"], 2, "unknown alert 'Dwn': did you mean 'Down'?"),
        (["Down", "--label", "agent"], 2, "write NAME=VALUE"),
        (["Slow"], 1, "no receiver is told of Slow"),
    ],
)
def test_what_cannot_be_sent(auditlake: typer.Typer, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    data = configured(tmp_path, "[{name: on-call}, {name: nobody}]")
    result = fire(auditlake, data, *words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_alertmanagers_are_told_where_routing_is_theirs(auditlake: typer.Typer, tmp_path: Path) -> None:
    with webhook() as hook:
        data = configured(tmp_path, "[]", f"    alertmanagers: [{{url: '{hook.url.removesuffix('/hook')}'}}]\n")
        result = fire(auditlake, data, "Down")
    assert result.exit_code == 0, result.output
    [[alert]] = hook.bodies
    assert (alert["labels"]["alertname"], alert["labels"]["test"]) == ("Down", "true")
    assert not (data / "alerts.sqlite").exists(), "nothing waits in an outbox"
