"""`auditlake doctor` finds a scheduler that is dead, stuck or late, notifications that reach nobody, and budgets without an answer."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.budgets.answers import Answers
from alerts.budgets.model import Budget, Kind, Period, Scope, Unit
from alerts.budgets.standing import Ledger
from alerts.budgets.store import BudgetStore
from alerts.outbox import Message
from alerts.scheduler import LEASE_FILE
from cli.alert_checks import alerts, budgets
from cli.budget_endpoint import budget_endpoint
from cli.commands.doctor import ports
from cli.commands.validate import endpoints
from collector.config import DEFAULT, parse
from storage.durable import FileLock
from tests.alerts.fakes import START, Process
from tests.loopback import answering

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TWO_GROUPS = """
groups:
  - {name: quick, interval: 1m, rules: [{alert: Quick, expr: SELECT 1 AS value}]}
  - {name: slow, interval: 10m, rules: [{alert: Slow, expr: SELECT 1 AS value}]}
"""


class Host:
    """A data directory, and which processes live on it."""

    def __init__(self, data: Path, stack: ExitStack) -> None:
        self.data = data
        self._stack = stack

    def runs(self, *names: str) -> "Host":
        locks = {"collector": self.data / "wal/node/collector/LOCK", "scheduler": self.data / LEASE_FILE}
        for name in names:
            locks[name].parent.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(FileLock(locks[name], "live"))
        return self

    def said(self, now: datetime, *, configured: bool = True) -> list[tuple[str, str]]:
        return [(check.state, check.finding) for check in alerts(self.data, int(now.timestamp() * 1e9), configured=configured)]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(tmp_path, stack)


def evaluated(host: Host, rules: str | None = None) -> Process:
    """Return the process after one evaluation at START."""
    process = Process(host.data) if rules is None else Process(host.data, rules=rules)
    process.lake.rows = [{"value": 1.0}]
    process.tick()
    return process


def test_a_scheduler_that_keeps_up_is_fine(host: Host) -> None:
    evaluated(host).store.close()
    assert host.runs("collector", "scheduler").said(START + MINUTE) == [("ok", "1 rules, last evaluated 60 s ago")]


def test_a_dead_scheduler_beside_a_live_collector_is_a_failure(host: Host) -> None:
    evaluated(host).store.close()
    assert host.runs("collector").said(START + 5 * MINUTE) == [("failed", "no scheduler runs: rules were last evaluated 300 s ago")]


def test_where_everything_is_stopped_it_is_a_warning(host: Host) -> None:
    evaluated(host).store.close()
    assert host.said(START + 5 * MINUTE) == [("warning", "no scheduler runs: rules were last evaluated 300 s ago")]


def test_a_stuck_scheduler_holds_its_lease_and_evaluates_nothing(host: Host) -> None:
    evaluated(host).store.close()
    found = host.runs("collector", "scheduler").said(START + 5 * MINUTE)
    assert found == [("failed", "the scheduler is stuck: rules were last evaluated 300 s ago")]


def test_rules_that_are_late_are_named(host: Host) -> None:
    evaluated(host, TWO_GROUPS).store.close()
    assert host.runs("collector", "scheduler").said(START + 5 * MINUTE) == [("warning", "1 of 2 rules are late: Quick")]


def test_a_rule_in_error_is_a_failure(host: Host) -> None:
    process = Process(host.data)
    process.lake.error = "no such column"
    process.tick()
    process.store.close()
    assert ("failed", "rules in error: Down") in host.runs("collector", "scheduler").said(START)


def test_rules_that_were_never_evaluated_are_a_failure_while_records_come_in(host: Host) -> None:
    assert host.said(START) == []
    assert host.runs("collector").said(START, configured=False) == []
    assert host.said(START) == [("failed", "a collector runs, and no rule was ever evaluated")]


def test_notifications_that_reach_nobody_are_counted(host: Host) -> None:
    store = evaluated(host).store
    messages = [Message(key=key, receiver="on-call", group_key=key, body="{}", created_at=START) for key in ("a", "b")]
    store.commit([], messages)
    due = store.due(START, "on-call")
    store.failed(due[:1], "status 410", due_at=None)
    store.failed(due[1:], "status 503", due_at=START + MINUTE)
    store.close()
    found = host.runs("collector", "scheduler").said(START)
    assert found[1:] == [("warning", "1 were given up"), ("warning", "1 wait for a receiver that does not take them")]


BUILT_IN = parse(DEFAULT, "built-in configuration", {})


@pytest.fixture
def limited(host: Host) -> Host:
    """A host whose lake has one budget, and whose alert process runs."""
    store = BudgetStore.open(host.data)
    store.set(Budget(scope=Scope(kind=Kind.AGENT, subject="support"), period=Period.MONTH, unit=Unit.USD, limit=100))
    store.close()
    return host.runs("scheduler")


@pytest.fixture
def taken() -> Iterator[str]:
    """An endpoint where a web server listens that is none of ours."""
    with answering(404, "text/html") as found:
        yield found


def asked(host: Host, endpoint: str, *, encrypted: bool = False) -> list[tuple[str, str]]:
    return [(check.state, check.finding) for check in budgets(host.data, endpoint, encrypted=encrypted)]


@pytest.mark.parametrize(
    ("known", "said"), [(Answers((), Ledger(), as_of=START), "agents are answered"), (None, "what was spent is being counted")]
)
def test_budgets_that_are_answered_are_fine(limited: Host, known: Answers | None, said: str) -> None:
    with budget_endpoint(BUILT_IN, "127.0.0.1:0", lambda name: (name,), lambda: known) as port:
        assert asked(limited, f"127.0.0.1:{port}") == [("ok", f"1 set; {said} at 127.0.0.1:{port}")]


def test_budgets_that_nobody_answers_for_are_a_failure(limited: Host, taken: str) -> None:
    assert asked(limited, taken) == [("failed", f"1 set; something else than the alert process listens at {taken}")]
    assert asked(limited, taken, encrypted=True) == [("ok", f"1 set; something listens at {taken}")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    assert asked(limited, endpoint) == [("failed", f"1 set; the alert process runs, and nobody answers agents that ask at {endpoint}")]


def test_without_budgets_a_scheduler_or_an_endpoint_nobody_has_to_answer(host: Host, tmp_path: Path, taken: str) -> None:
    BudgetStore.open(host.data).close()
    assert asked(host.runs("scheduler"), taken) == []
    assert asked(host, "") == []
    assert asked(Host(tmp_path / "another", ExitStack()), taken) == []


def test_the_ports_that_are_looked_at_are_all_that_is_listened_on(taken: str) -> None:
    environment = {f"AUDITLAKE_{name}_ENDPOINT": "127.0.0.1:0" for name in ("GRPC", "HTTP", "HEALTH", "DASHBOARD")}
    config = parse(
        DEFAULT.replace("\n    interval:", f"\n    budget_endpoint: {taken}\n    interval:"), "built-in configuration", environment
    )
    assert list(endpoints(config)) == [
        "receivers.otlp.protocols.grpc.endpoint",
        "receivers.otlp.protocols.http.endpoint",
        "extensions.health_check.endpoint",
        "extensions.dashboard.endpoint",
        "extensions.alerts.budget_endpoint",
    ]
    (found,) = ports(config)
    assert (found.state, found.finding) == ("warning", f"budgets {taken} in use, and no collector answers")
