"""`auditlake alerts dead`: what was given up is told with its reason, and sent again only where that does not tell the past."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from alerts.delivery import Courier
from alerts.outbox import post
from alerts.receivers.webhook import WebhookReceiver
from alerts.state import AlertStore
from cli.commands import alerts as command
from collector.config import DEFAULT
from storage.catalog import Catalog
from tests.alerts.http_server import Answer, HttpServer, http_server
from tests.alerts.messages import alert, message

NOW = datetime.now(UTC)
CONFIG = DEFAULT.replace(
    '# receivers: [{name: on-call, webhook_configs: [{url: "${env:ONCALL_WEBHOOK}"}]}]',
    "receivers: [{name: on-call, webhook_configs: [{url: %s}]}]",
)


@pytest.fixture
def auditlake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return app


def run(app: typer.Typer, data: Path, *words: object) -> Result:
    return CliRunner().invoke(app, ["alerts", "dead", *map(str, words), "--data", str(data)])


def listed(app: typer.Typer, data: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(app, data, "list", "--format", "json", *words).stdout)
    return found


def deliver(data: Path, server: HttpServer, at: datetime = NOW) -> int:
    """One round of the alert process."""
    store = AlertStore.open(data)
    try:
        receiver = WebhookReceiver(name="on-call", url=server.url)
        return Courier(store, receiver, clock=lambda: at, quick_wait_seconds=0.001).deliver_due()
    finally:
        store.close()


def lake(data: Path, server: HttpServer, told: Sequence[str]) -> Path:
    """A lake whose alert process has messages with these keys for its receiver; its configuration stands beside it."""
    data.mkdir()
    Catalog.open(data).close()
    Path("otel-config.yaml").write_text(CONFIG % server.url)
    store = AlertStore.open(data)
    with store.begin() as connection:
        post(connection, [replace(message(alert(), key=key), created_at=NOW) for key in told])
    store.close()
    return data


def test_what_was_refused_is_listed_and_sent_again_with_its_key(auditlake: typer.Typer, tmp_path: Path) -> None:
    with http_server() as server:
        data = lake(tmp_path / "lake", server, ["one"])
        server.answers = [Answer(status=404)]
        deliver(data, server)
        [row] = listed(auditlake, data)
        assert {name: row[name] for name in ("state", "receiver", "status", "alerts", "attempts", "error")} == {
            "state": "dead",
            "receiver": "on-call",
            "status": "firing",
            "alerts": 1,
            "attempts": 1,
            "error": "status 404",
        }
        result = run(auditlake, data, "retry", row["id"])
        assert (result.exit_code, result.stderr) == (0, "1 to be sent\n")
        assert deliver(data, server, NOW + timedelta(hours=1)) == 1
        assert listed(auditlake, data) == []
    assert {request.headers["Idempotency-Key"] for request in server.requests} == {"one"}


def test_what_waits_is_listed_when_asked_for(auditlake: typer.Typer, tmp_path: Path) -> None:
    with http_server() as server:
        data = lake(tmp_path / "lake", server, ["one"])
        server.answers = [Answer(status=503)] * 3
        deliver(data, server)
        assert listed(auditlake, data) == []
        [row] = listed(auditlake, data, "--waiting")
    assert (row["state"], row["error"], row["attempts"]) == ("waiting", "status 503", 3)


def test_the_past_is_not_told_again(auditlake: typer.Typer, tmp_path: Path) -> None:
    """The group's next message reached the receiver: to send the one before would wake somebody for what is over."""
    with http_server() as server:
        data = lake(tmp_path / "lake", server, ["one", "two"])
        server.answers = [Answer(status=400)]
        for _ in range(2):
            deliver(data, server)
        [row] = listed(auditlake, data)
        assert row["state"] == "superseded"
        named = run(auditlake, data, "retry", row["id"])
        every = run(auditlake, data, "retry", "--all")
        assert deliver(data, server, NOW + timedelta(hours=1)) == 0
    assert (named.exit_code, every.exit_code) == (1, 0)
    assert named.stderr == f"not sent: {row['id']}: there is something newer to tell of this group, or it was told\n0 to be sent\n"
    assert len(server.requests) == 2


def test_of_several_that_were_given_up_the_last_one_is_sent(auditlake: typer.Typer, tmp_path: Path) -> None:
    """While a receiver refuses everything each look at the group makes another; the last one says how things stand."""
    with http_server() as server:
        data = lake(tmp_path / "lake", server, ["one", "two", "three"])
        server.answers = [Answer(status=403)] * 3
        for _ in range(3):
            deliver(data, server)
        assert [row["state"] for row in listed(auditlake, data)] == ["superseded", "superseded", "dead"]
        assert run(auditlake, data, "retry", "--all").stderr.splitlines()[-1] == "1 to be sent"
        assert deliver(data, server, NOW + timedelta(hours=1)) == 1
    assert [request.headers["Idempotency-Key"] for request in server.requests][3:] == ["three"]


def test_a_receiver_that_is_gone_gets_nothing(auditlake: typer.Typer, tmp_path: Path) -> None:
    with http_server(usual=Answer(status=400)) as server:
        data = lake(tmp_path / "lake", server, ["one"])
        deliver(data, server)
        Path("otel-config.yaml").write_text(DEFAULT)
        result = run(auditlake, data, "retry", "--all")
    assert "the configuration has no receiver on-call any more" in result.stderr


def test_it_must_be_said_which(auditlake: typer.Typer, tmp_path: Path) -> None:
    with http_server() as server:
        data = lake(tmp_path / "lake", server, [])
        results = [run(auditlake, data, "retry"), run(auditlake, data, "retry", "1", "--all"), run(auditlake, data, "retry", "7")]
    assert [result.exit_code for result in results] == [2, 2, 2]
    assert "no notification 7 was given up" in results[2].stderr


def test_without_any_state_there_is_a_hint(auditlake: typer.Typer, tmp_path: Path) -> None:
    result = run(auditlake, tmp_path, "list")
    assert "no rule was evaluated here yet" in str(result.exception)
