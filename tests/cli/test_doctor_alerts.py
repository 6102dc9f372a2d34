"""`auditlake doctor` finds a scheduler that is dead, stuck or late, and notifications that reach nobody."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alerts.outbox import Message
from alerts.scheduler import LEASE_FILE
from cli.alert_checks import alerts
from storage.durable import FileLock
from tests.alerts.fakes import START, Process

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
    ids = [row["id"] for row in store.outbox() if row["receiver"] == "on-call"]
    store.failed(ids[:1], "status 410", due_at=None)
    store.failed(ids[1:], "status 503", due_at=START + MINUTE)
    store.close()
    found = host.runs("collector", "scheduler").said(START)
    assert found[1:] == [("warning", "1 were given up"), ("warning", "1 wait for a receiver that does not take them")]
