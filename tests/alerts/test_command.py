"""`auditlake alerts`: what it prints, where, and its exit codes."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from cli.commands import alerts as command
from collector.config import DEFAULT
from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.damage import Damage
from storage.lake import Lake
from storage.wal import closed_segments
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import Process, webhook

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACK = ROOT / "alerts/packs/agent-ops.yaml"
PROGRAM = "import typer; from cli.commands import alerts; app = typer.Typer(); app.callback()(lambda: None); alerts.register(app); app()"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def auditlake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


def run(app: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(app, ["alerts", *map(str, words)])


def test_check_of_good_files_and_of_the_configured_ones(auditlake: typer.Typer, tmp_path: Path) -> None:
    """That the packs are good files is said in test_packs."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("groups: [{name: g, rules: [{alert: A, expr: SELECT 1 AS value}]}]")
    two.write_text("groups: [{name: g, rules: [{alert: A, expr: SELECT 1 AS value}, {alert: B, expr: SELECT 1 AS value}]}]")
    result = run(auditlake, "check", one, two)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"{one}: ok, 1 rule in 1 group", f"{two}: ok, 2 rules in 1 group"]
    configured = run(auditlake, "check").stdout
    assert re.search(r"agent-ops\.yaml: ok, \d+ rules in \d+ groups\n", configured), configured
    assert re.search(r"slos\.yaml: ok, \d+ SLOs\n", configured), configured


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("SELECT 1", "it has no column named value"),
        ("SELECT nothing AS value FROM runs", "nothing"),
        ("SELECT 1 AS value FROM secrets", "no view of this name"),
        ("SELECT 1 AS value; SELECT 2 AS value", "exactly one is allowed"),
        ("COPY runs TO 'x'", "only SELECT is allowed"),
        ("SELECT count(*) AS value FROM read_csv('/etc/passwd')", "table functions"),
        ("SELECT cost_usd, 1 AS value FROM runs", "a changing value is never a label"),
        ("SELECT started_at > current_timestamp AS late, 1 AS value FROM runs", "use $eval_ts"),
        ("SELECT agent_name, status AS value FROM runs", "it must be a number"),
    ],
)
def test_check_tells_what_is_wrong_with_the_sql(auditlake: typer.Typer, tmp_path: Path, expr: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(f"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      {expr}\n")
    good = tmp_path / "good.yaml"
    good.write_text("groups: [{name: g, rules: [{alert: A, expr: SELECT 1 AS value}]}]")
    result = run(auditlake, "check", path, good)
    assert result.exit_code == 2
    assert f"{path}:6: groups[0].rules[0].expr: " in result.stderr
    assert said in result.stderr
    assert result.stdout == f"{good}: ok, 1 rule in 1 group\n", "the other file is checked too"


def test_eval_prints_what_would_fire(auditlake: typer.Typer, tmp_path: Path) -> None:
    lake = AgentLake(tmp_path / "lake")
    lake.tool(MINUTE, requires_approval=True)
    for number in range(40):
        lake.tool(30 * timedelta(seconds=1), error=number % 2 == 0)
    lake.seal()
    groups = {group["name"]: group for group in yaml.safe_load(PACK.read_text())["groups"]}
    del groups["calls"]["rules"][0]["keep_firing_for"]  # of which each half minute is evaluated, and planning this rule takes long
    whole, rates = tmp_path / "whole.yaml", tmp_path / "rates.yaml"
    whole.write_text(yaml.safe_dump({"groups": list(groups.values())}))
    rates.write_text(yaml.safe_dump({"groups": [groups["calls"]]}))
    result = run(auditlake, "eval", whole, "--data", lake.data, "--at", NOW.isoformat(), "--format", "json")
    assert result.exit_code == 0, result.output
    rows = {row["alert"]: row for row in json.loads(result.stdout)}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {"UnapprovedSideEffect": "firing", "HighErrorRate": "pending", "Watchdog": "firing"}
    assert rows["UnapprovedSideEffect"]["labels"]["run_id"] == "run-1"
    assert rows["UnapprovedSideEffect"]["value"] == 1
    later = run(auditlake, "eval", rates, "--data", lake.data, "--at", (NOW + MINUTE).isoformat(), "--format", "json")
    assert {row["alert"]: row["state"] for row in json.loads(later.stdout)}["HighErrorRate"] == "firing", "`for` has passed"
    assert not (lake.data / "alerts.sqlite").exists(), "nothing is remembered"


def test_eval_of_a_rule_that_cannot_be_evaluated(auditlake: typer.Typer, tmp_path: Path) -> None:
    lake = AgentLake(tmp_path / "lake").seal()
    path = tmp_path / "rules.yaml"
    path.write_text("groups: [{name: g, rules: [{alert: A, expr: SELECT 1 AS one}, {alert: B, expr: SELECT 1 AS value}]}]")
    result = run(auditlake, "eval", path, "--data", lake.data, "--format", "json")
    assert result.exit_code == 2
    assert [row["alert"] for row in json.loads(result.stdout)] == ["B"]
    assert "A: could not read the answer of the rule" in result.stderr


def test_eval_of_a_time_that_is_none(auditlake: typer.Typer) -> None:
    result = run(auditlake, "eval", PACK, "--at", "yesterday")
    assert result.exit_code == 2
    assert "write it like 2026-11-21T12:00:00Z" in result.stderr


def test_list_shows_the_live_state(auditlake: typer.Typer, tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "support", "value": 5}])
    process.store.close()
    [row] = json.loads(run(auditlake, "list", "--data", tmp_path, "--format", "json").stdout)
    assert (row["alert"], row["state"], row["labels"]) == ("Down", "firing", {"agent": "support", "severity": "critical"})
    assert (row["value"], row["since"], row["late"]) == (5.0, "2026-11-21T12:00:00.000000Z", True)
    table = run(auditlake, "list", "--data", tmp_path).stdout
    assert "agent=support severity=critical" in table
    assert "2026-11-21 12:00:00Z (late)" in table


def test_list_says_which_files_no_rule_sees(auditlake: typer.Typer, tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([])
    process.store.set_damaged([Damage(path="data/spans/x.parquet", reason="it is missing", rows=7)])
    process.store.close()
    result = run(auditlake, "list", "--data", tmp_path, "--format", "json")
    assert len(json.loads(result.stdout)) == 1
    assert "warning: data/spans/x.parquet is left out with its 7 rows: it is missing" in result.stderr
    assert "restore it" in result.stderr


def test_list_without_a_scheduler(auditlake: typer.Typer, tmp_path: Path) -> None:
    result = run(auditlake, "list", "--data", tmp_path)
    assert result.exception is not None
    assert "start `auditlake up`" in getattr(result.exception, "hint", ""), "cli.main turns it into one line and exit code 2"


@pytest.mark.parametrize("page", sorted((DOCS / "runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_the_queries_of_the_runbooks_can_be_run(page: Path, tmp_path: Path) -> None:
    Catalog.open(tmp_path).close()
    with Lake.open(tmp_path, threads=1) as lake:
        for block in page.read_text().split("```sql")[1:]:
            lake.query(block.split("```")[0])


def nothing_waits(data: Path) -> bool:
    """Whether everything that is to be told was told, also to the lake."""
    with closing(sqlite3.connect(data / "alerts.sqlite")) as connection:
        [(waiting,)] = connection.execute("SELECT count(*) FROM outbox WHERE delivered_at IS NULL").fetchall()
    return bool(waiting == 0)


def test_run_is_the_whole_process_wired(tmp_path: Path) -> None:
    """Configuration → rules → lake → webhook and alert_log; texts cleaned by the policy on the way; SIGTERM ends it with 0."""
    data = tmp_path / "data"
    lake = AgentLake(data)
    lake.span("model", timedelta(), agent_name="support", actor="jane.doe@example.com")
    lake.seal()
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "groups: [{name: g, interval: 1s, rules: [{alert: A, labels: {severity: warning},\n"
        "  annotations: {summary: 'seen {{ labels.who }}'},\n"
        "  expr: \"SELECT run_id, 'jane.doe' || '@example.com' AS who, count(*) AS value FROM spans GROUP BY ALL\"}]}]\n"
    )
    with webhook() as hook:
        receivers = f"[{{name: on-call, webhook_configs: [{{url: '{hook.url}'}}]}}]"
        alerts = f"  alerts: {{rules: ['{rules}'], interval: 1s, external_url: 'http://auditlake.test', receivers: {receivers}}}\n"
        config = tmp_path / "otel-config.yaml"
        lines = [line + "\n" for line in DEFAULT.splitlines() if "receivers: [{name" not in line]
        start = next(number for number, line in enumerate(lines) if line.startswith("  alerts:"))
        config.write_text("".join([*lines[:start], alerts, *lines[start + 3 :]]))
        words = ["alerts", "run", "--config", str(config), "--data", str(data)]
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 30
            while not (hook.requests and closed_segments(data)) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors
    [alert] = hook.bodies[0]["alerts"]
    assert alert["labels"]["who"] not in ("jane.doe@example.com", "")
    assert alert["generatorURL"] == "http://auditlake.test/run?run=run-1"
    assert "jane.doe@" not in (data / "alerts.sqlite").read_bytes().decode("latin-1") + errors
    catalog = Catalog.open(data)
    assert seal_pending(data, catalog) >= 1
    catalog.close()
    with Lake.open(data, threads=1) as reader:
        columns = "alertname, rule_group, state, severity, value, run_id, summary, active_at"
        [row] = reader.query(f"SELECT {columns} FROM alert_log WHERE kind = 'transition'").to_pylist()
    assert (row["alertname"], row["rule_group"], row["state"], row["severity"]) == ("A", "g", "firing", "warning")
    assert (row["value"], row["run_id"]) == (1.0, "run-1")
    assert row["summary"] == f"seen {alert['labels']['who']}"
    assert row["active_at"] is not None
