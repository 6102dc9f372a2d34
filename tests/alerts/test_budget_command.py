"""`auditlake budget`: what it does, prints and records, and its exit codes."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.budgets.store import BudgetStore
from alerts.forgetting import forget
from redaction.pseudonym import load_or_create_key, pseudonym
from tests.command_line import invoked
from tests.lake_builder import START_NS, model, write_lake

MAIL = "alice.lidell@example.com"
CONFIG = """
receivers: {otlp: {protocols: {http: {}}}}
processors: {redaction: {}}
exporters: {parquet: {path: auditlake-data}}
extensions: {alerts: {budgets: [budgets.yaml]}}
service:
  extensions: [alerts]
  pipelines: {traces: {receivers: [otlp], processors: [redaction], exporters: [parquet]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which Alice had an agent spend something today, and a configuration with a budget file."""
    root = tmp_path_factory.mktemp("budget")
    data = root / "auditlake-data"
    data.mkdir()
    alice = pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL)
    now = datetime.now(UTC)
    at = now.timestamp() - START_NS / 1e9 - 60
    write_lake(
        data,
        spans=[
            model("x", id="x", at=at, actor=alice, tenant="acme", cost=8.0),
            model("y", id="y", run="run-2", trace="t2", at=at, cost=None),
        ],
    )
    (root / "otel-config.yaml").write_text(CONFIG)
    (root / "budgets.yaml").write_text("budgets:\n  - {agent: support, usd: 100}\n  - {tenant: acme, period: day, usd: 1000}\n")
    return root


def rows(folder: Path, *words: str, code: int = 0) -> list[dict[str, Any]]:
    done = invoked(folder, "budget", *words, "--format", "json")
    assert done.returncode == code, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_limits_are_set_listed_shown_and_removed_and_each_change_is_recorded(folder: Path) -> None:
    assert invoked(folder, "budget", "set", f"user:{MAIL}", "--usd", "10", "--tokens", "100", "--period", "week").returncode == 0
    assert invoked(folder, "budget", "set", "agent:support", "--usd", "8", "--as", "finance").returncode == 0
    listed = [(row["scope"], row["budget"], row["source"], row["counts"]) for row in rows(folder, "list")]
    (user,) = {scope for scope, *_ in listed if scope.startswith("user:")}
    assert user.startswith("user:<EMAIL_ADDRESS:")
    assert set(listed) == {
        ("agent:support", "$100 a month", "budgets.yaml", False),
        ("tenant:acme", "$1,000 a day", "budgets.yaml", True),
        (user, "$10 a week", "command", True),
        (user, "100 tokens a week", "command", True),
        ("agent:support", "$8 a month", "command", True),
    }
    shown = {(row["scope"], row["unit"]): row for row in rows(folder, "status")}
    assert {key: (row["spent"], row["remaining"], row["allowed"], row["unknown_calls"]) for key, row in shown.items()} == {
        (user, "usd"): (8, 2, True, 0),
        (user, "tokens"): (110, 0, False, 0),
        ("agent:support", "usd"): (8, 0, False, 1),
        ("tenant:acme", "usd"): (8, 992, True, 0),
    }
    assert {row["unit"] for row in rows(folder, "status", f"user:{MAIL}", code=1)} == {"usd", "tokens"}
    assert len(rows(folder, "status", "tenant:acme")) == 1
    assert invoked(folder, "budget", "remove", "agent:support").returncode == 0
    assert rows(folder, "status", "agent:support")[0]["limit"] == 100
    again = invoked(folder, "budget", "remove", "agent:support")
    assert (again.returncode, "budget list" in again.stderr) == (1, True)
    log = invoked(folder, "query", "--format", "json", "SELECT action, outcome, resource FROM access_log WHERE action LIKE 'budget.%'")
    told = [(row["action"], row["outcome"]) for row in json.loads(log.stdout)]
    assert told.count(("budget.set", "success")) == 3
    assert ("budget.remove", "success") in told
    assert ("budget.remove", "failure") in told
    stored = b"".join(path.read_bytes() for path in (folder / "auditlake-data").rglob("*") if path.is_file())
    assert MAIL.encode() not in stored


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "agent:support"], "how much?"),
        (["set", "support", "--usd", "1"], "write user:NAME"),
        (["set", "agent:support", "--usd", "0"], "above 0"),
        (["set", "agent:support", "--usd", "1", "--period", "year"], "day, week, month"),
        (["set", "agent:support", "--usd", "1", "--rung", "2"], "shares of the limit"),
        (["set", "tenant:acme", "--usd", "1", "--tenant", "acme"], "goes with a user"),
        (["status", "team:x"], "write user:NAME"),
        (["remove", "agent:support", "--unit", "eur"], "usd, tokens"),
        (["list", "--data", "nowhere"], "there is no lake"),
    ],
)
def test_bad_input_is_said_with_the_remedy(folder: Path, words: list[str], said: str) -> None:
    done = invoked(folder, "budget", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_budget_file_with_mistakes_is_refused_with_its_lines(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text("budgets:\n  - {agent: support, used: 5}\n")
    (tmp_path / "otel-config.yaml").write_text(CONFIG)
    done = invoked(tmp_path, "budget", "list", "--data", str(folder / "auditlake-data"))
    assert done.returncode == 2
    assert "budgets.yaml:2" in done.stderr


def test_a_scope_without_a_budget_is_a_no(folder: Path) -> None:
    done = invoked(folder, "budget", "status", "agent:nobody")
    assert done.returncode == 1
    assert "there is no budget of agent:nobody" in done.stderr


def test_what_was_counted_before_somebody_was_erased_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor shown: the command says that it has to be given again, and then counts what is left."""
    data = folder / "auditlake-data"
    (data / "alerts.sqlite").unlink(missing_ok=True)
    store_day, orders = BudgetStore.store_day, [data]

    def erased_before(store: BudgetStore, *arguments: Any) -> None:
        while orders:
            forget(orders.pop(), lambda text: "EMAIL_ADDRESS" in text)
        store_day(store, *arguments)

    monkeypatch.setattr(BudgetStore, "store_day", erased_before)
    refused = invoked(folder, "budget", "status")
    assert (refused.returncode, "give the command again" in refused.stderr) == (2, True)
    with closing(BudgetStore.open(data)) as store:
        assert store.spending() == {}
    assert len(rows(folder, "status")) == 2
