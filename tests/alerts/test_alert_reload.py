"""A reload of the alert process: who is told, and by which rules, is taken over as a whole or not at all; who stayed is told on."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from alerts.dispatch import Dispatcher
from alerts.errors import AlertsError, Problem, RuleFileError
from alerts.outbox import post
from alerts.receivers.alertmanager import Peer
from alerts.receivers.email import EmailReceiver, Smarthost
from alerts.receivers.http import Tls
from alerts.receivers.receiver import Integration
from alerts.receivers.webhook import WebhookReceiver
from alerts.recipients import Recipients, Reread, Telling
from alerts.state import AlertStore
from cli.alert_reload import Rereading
from cli.configuration import load_config
from collector.config_hash import remembered
from storage.catalog import Catalog
from storage.journal import Journal
from tests.alerts.agent_lake import AgentLake
from tests.alerts.configured import configured
from tests.alerts.fakes import START, as_it_is, webhook
from tests.alerts.http_server import http_server
from tests.alerts.messages import alert, message
from tests.alerts.test_command import PROGRAM, ROOT
from tests.alerts.test_scheduler import reloads, scheduler, until
from tests.polling import wait_until

URL = "http://auditlake.test"
FIRES = "groups: [{name: g, interval: 1s, rules: [{alert: Always, expr: \"SELECT 'r-1' AS run_id, 1 AS value\"}]}]\n"
NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(FIRES)
    return path


def told(*receivers: Integration, url: str = URL) -> Recipients:
    return Recipients(receivers=receivers, external_url=url)


def reread(recipients: Recipients, rules: Path, taken: threading.Event) -> Callable[[], Reread]:
    return lambda: Reread(recipients=recipients, rules=[rules], slos=(), taken=taken.set)


def test_who_is_new_is_told_and_who_is_gone_is_not(tmp_path: Path, rules: Path) -> None:
    """At once, although the group was just looked at; with links that begin as the new configuration says."""
    AgentLake(tmp_path).seal()
    reload, taken = threading.Event(), threading.Event()
    with webhook() as old, webhook() as new:
        following = told(WebhookReceiver(name="new", url=new.url), url="http://other.test")
        first = (WebhookReceiver(name="old", url=old.url),)
        with scheduler(tmp_path, rules, receivers=first, reload=reload, reread=reread(following, rules, taken)):
            until(lambda: len(old.requests) == 1, "the one that is there")
            reload.set()
            until(lambda: len(new.requests) == 1, "the one that is new")
    assert taken.is_set()
    assert len(old.requests) == 1
    assert new.bodies[0]["alerts"][0]["generatorURL"].startswith("http://other.test/run")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("configuration", "otel-config.yaml:7: extensions.alerts.route: the root needs a receiver"),
        ("rules", "unknown key 'nam'"),
        ("names", "rename one"),
        ("unforeseen", "unexpected: ZeroDivisionError"),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path: Path, rules: Path, wrong: str, said: str) -> None:
    """Neither the rules nor who is told; every problem is in the log, and no word of a file that nobody foresaw."""
    AgentLake(tmp_path).seal()
    reload, taken = threading.Event(), threading.Event()
    bad = tmp_path / "bad.yaml"
    bad.write_text("groups: [{nam: g}]")
    problem = Problem(file="otel-config.yaml", line=7, path="extensions.alerts.route", message="the root needs a receiver")
    with webhook() as old, webhook() as new:

        def again() -> Reread:
            if wrong == "configuration":
                raise RuleFileError([problem], what="configuration")
            if wrong == "unforeseen":
                raise ZeroDivisionError("a word of the file")
            target = WebhookReceiver(name="log" if wrong == "names" else "new", url=new.url)
            return reread(told(target), bad if wrong == "rules" else rules, taken)()

        store = AlertStore.open(tmp_path)
        first = (WebhookReceiver(name="old", url=old.url),)
        with structlog.testing.capture_logs() as lines, scheduler(tmp_path, rules, receivers=first, reload=reload, reread=again):
            until(lambda: len(old.requests) == 1, "the webhook")
            reload.set()
            until(lambda: len(reloads(tmp_path)) == 1, "it looks")
            before = len(store.evaluations())
            until(lambda: len(store.evaluations()) > before + 1, "it goes on")
        store.close()
    [line] = [line for line in lines if line["event"] == "the configuration or its rules are refused, what runs is kept"]
    assert said in str(line["problems"])
    assert "a word of the file" not in str(line)
    assert [event["outcome"] for event in reloads(tmp_path)] == ["refused"]
    assert (taken.is_set(), new.requests, len(old.requests)) == (False, [], 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    opened = AlertStore.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def telling(tmp_path: Path, store: AlertStore) -> Iterator[Telling]:
    journal = Journal(tmp_path, "n/alerts", as_it_is, "p", lambda: 0)
    made = Telling(store, journal, interval=timedelta(seconds=30), clock=lambda: START)
    yield made
    made.close()
    assert couriers() == {}


def couriers() -> dict[str, threading.Thread]:
    """Return the threads that deliver, by the name of their receiver."""
    threads = {thread.name: thread for thread in threading.enumerate()}
    return {name.removeprefix("courier-"): thread for name, thread in threads.items() if name.startswith("courier-")}


def test_couriers_of_receivers_that_stayed_go_on(telling: Telling) -> None:
    """A receiver is the same when all that the configuration says of it is."""
    one, two = WebhookReceiver(name="one", url=NOWHERE), WebhookReceiver(name="two", url=NOWHERE)
    mail = EmailReceiver(name="mail", to="a@example.com", sender="b@example.com", smarthost=Smarthost(host="127.0.0.1", port=1))
    notifier = telling.use(told(one, two, mail))
    before = couriers()
    same = told(WebhookReceiver(name="one", url=NOWHERE), two, replace(mail))
    assert telling.use(same) is notifier
    assert couriers() == before
    assert telling.use(told(one, replace(two, max_alerts=5), replace(mail))) is not notifier
    after = couriers()
    assert after.keys() == before.keys() == {"lake", "log", "one", "two", "mail"}
    assert {name for name in after if after[name] is not before[name]} == {"two"}


def test_what_waits_for_a_receiver_that_is_gone_is_given_up(telling: Telling, store: AlertStore) -> None:
    with store.begin() as connection:
        post(connection, [replace(message(alert()), receiver="gone")])
    telling.use(told(WebhookReceiver(name="gone", url=NOWHERE)))
    telling.use(told())
    [row] = [row for row in store.outbox() if row["receiver"] == "gone"]
    assert row["dead"]


def test_alertmanagers_take_the_place_of_receivers_and_back(telling: Telling) -> None:
    with http_server() as server:
        telling.use(told(WebhookReceiver(name="one", url=NOWHERE)))
        peers = Recipients(alertmanagers=(Peer(name="am", url=server.url),), external_url=URL)
        telling.use(peers).tick(START, [alert()])
        until(lambda: len(server.requests) == 1, "the Alertmanager")
        assert couriers().keys() == {"lake", "log", "am"}
        assert isinstance(telling.use(told(WebhookReceiver(name="one", url=NOWHERE))), Dispatcher)
    assert couriers().keys() == {"lake", "log", "one"}


def test_certificates_are_read_again(telling: Telling) -> None:
    before = Tls().context()
    assert Tls().context() is before, "not for each request"
    telling.use(told())
    assert Tls().context() is not before


ON_CALL = "    receivers: [{name: on-call, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n"


@pytest.fixture
def rereading(tmp_path: Path) -> Rereading:
    Catalog.open(tmp_path).close()
    path = configured(tmp_path, ON_CALL)
    return Rereading(load_config(path), path, tmp_path)


def test_receivers_routes_and_files_are_taken_over(tmp_path: Path, rereading: Rereading) -> None:
    more = "    route: {receiver: chat, group_by: [tenant]}\n    external_url: https://lake.example.com\n"
    text = ON_CALL.replace("on-call", "chat") + more
    path = configured(tmp_path, text)
    path.write_text(path.read_text().replace("alerts/packs/agent-ops.yaml", "alerts/packs/demo.yaml"))
    found = rereading()
    assert [receiver.name for receiver in found.recipients.receivers] == ["chat"]
    assert found.recipients.routing is not None
    assert found.recipients.routing.route.group_by == {"tenant"}
    assert found.recipients.external_url == "https://lake.example.com"
    assert [file.name for file in found.rules] == ["demo.yaml", "agent-quality.yaml"]
    assert rereading.waiting(load_config(path)) == []


@pytest.mark.parametrize(
    ("old", "new", "section"),
    [
        ("interval: ${env:AUDITLAKE_ALERT_INTERVAL:-30s}", "interval: 10s", "extensions.alerts.interval"),
        (ON_CALL, f"{ON_CALL}    budgets: [budgets.yaml]\n", "extensions.alerts.budgets"),
        (ON_CALL, f"{ON_CALL}    budget_endpoint: ''\n", "extensions.alerts.budget_endpoint"),
        ("max_recv_msg_size_mib: 64", "max_recv_msg_size_mib: 32", "receivers.otlp"),
        ("secrets: {enabled: true}", "secrets: {enabled: false}", "processors.redaction"),
        ("seal_interval: 1s", "seal_interval: 2s", "exporters.parquet"),
        ("service:\n", "service:\n  abandoned_after: 2h\n", "service.abandoned_after"),
    ],
)
def test_what_waits_for_a_restart_is_named(tmp_path: Path, rereading: Rereading, old: str, new: str, section: str) -> None:
    path = tmp_path / "otel-config.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with structlog.testing.capture_logs() as lines:
        rereading().taken()
    assert [line["sections"] for line in lines if "sections" in line] == [[section]]


def test_a_change_that_was_taken_over_is_recorded(tmp_path: Path, rereading: Rereading) -> None:
    """The next start changes nothing more."""
    rereading().taken()
    first = remembered(tmp_path, "alerts")
    configured(tmp_path, ON_CALL.replace("on-call", "chat"))
    rereading().taken()
    second = remembered(tmp_path, "alerts")
    assert None not in {first, second}
    assert first != second


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("    route: {receiver: nobody}\n", "extensions.alerts.route.receiver: there is no receiver 'nobody'"),
        ("    receivers: [{name: log, webhook_configs: [{url: 'http://h/'}]}]\n", "choose another name"),
        ("    reciever: []\n", "unknown key 'reciever': did you mean 'receivers'?"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, rereading: Rereading, section: str, said: str) -> None:
    path = configured(tmp_path, section)
    line = path.read_text().splitlines().index(section.rstrip("\n")) + 1
    with pytest.raises(RuleFileError) as caught:
        rereading()
    [problem] = caught.value.problems
    assert (problem.file, problem.line) == (str(path), line)
    assert said in str(problem)


def test_a_configuration_without_alerts_is_refused(tmp_path: Path, rereading: Rereading) -> None:
    path = tmp_path / "otel-config.yaml"
    path.write_text(path.read_text().replace("[health_check, alerts, dashboard]", "[health_check, dashboard]"))
    with pytest.raises(AlertsError, match="enables no alerts any more"):
        rereading()


def test_sighup_to_the_process_that_runs(tmp_path: Path, rules: Path) -> None:
    """Another receiver is told; a file with a mistake changes nothing; what waits for a restart is in the log."""
    data = tmp_path / "data"
    AgentLake(data).seal()
    config = configured(tmp_path, "")
    template = config.read_text()

    def configure(receivers: str, interval: str = "1s") -> None:
        lines = [line for line in template.splitlines() if "AUDITLAKE_RULES" not in line and "ALERT_INTERVAL" not in line]
        place = lines.index("  alerts:") + 1
        section = [f"    rules: ['{rules}']", f"    interval: {interval}", "    slos: []", "    budget_endpoint: ''", receivers]
        config.write_text("\n".join([*lines[:place], *section, *lines[place:]]) + "\n")

    with webhook() as old, webhook() as new:
        configure(f"    receivers: [{{name: old, webhook_configs: [{{url: '{old.url}'}}]}}]")
        words = ["alerts", "run", "--config", str(config), "--data", str(data)]
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            wait_until(lambda: old.requests or process.poll() is not None, seconds=60)
            configure(f"    receivers: [{{name: new, webhook_configs: [{{url: '{new.url}'}}]}}]", interval="2s")
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: new.requests or process.poll() is not None, seconds=60)
            configure("    receivers: [{nam: new}]")
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(reloads(data)) == 2 or process.poll() is not None, seconds=60)
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=15)
    assert process.returncode == 0, errors
    assert [event["outcome"] for event in reloads(data)] == ["ok", "refused"]
    assert (len(old.requests), len(new.requests)) == (1, 1)
    assert "extensions.alerts.interval" in errors
    assert "unknown key 'nam': did you mean 'name'?" in errors
