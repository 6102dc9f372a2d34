"""Budgets within the alert process: spending becomes BudgetBurn through the ordinary state machine, once a rung and period."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.budgets.model import Budget, Kind, Period, Scope, Unit, in_force
from alerts.budgets.service import BudgetService
from alerts.budgets.spending import Accountant
from alerts.budgets.store import BudgetStore
from alerts.errors import RuleFileError
from alerts.evaluate import Alert, State, Waits, step
from alerts.forgetting import forget
from alerts.groups import GroupRunner
from alerts.samples import read_samples
from storage.lake import Lake
from tests.alerts import fakes
from tests.alerts.fakes import as_it_is
from tests.lake_builder import model, write_lake
from tests.polling import wait_until

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)  # tests.lake_builder.START_NS
SUPPORT = Scope(kind=Kind.AGENT, subject="support")


def monthly(limit: float, scope: Scope = SUPPORT) -> Budget:
    return Budget(scope=scope, period=Period.MONTH, unit=Unit.USD, limit=limit, forecast=False)


@dataclass
class Process:
    """One alert process, driven by hand: counts, and evaluates the rule."""

    data: Path
    lake: Lake
    store: BudgetStore
    now: datetime = NOON
    told: list[tuple[str, str, str]] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)

    def round(self, spend: float | None = None, *, after: timedelta = timedelta(minutes=1)) -> None:
        """Let the agent spend something, time pass, and everything be counted and evaluated."""
        if spend is not None:
            number = len(list((self.data / "data").rglob("*.parquet"))) if (self.data / "data").exists() else 0
            at = (self.now - NOON).total_seconds()
            write_lake(self.data, spans=[model(f"m{number}", id=f"m{number}", run=f"r{number}", trace=f"t{number}", at=at, cost=spend)])
        self.now += after
        service = BudgetService(self.data, files=(), stored_name=str, interval_seconds=30, clock=lambda: self.now)
        service.remember(self.store)
        service.refresh(Accountant(self.lake, self.store), self.store, in_force(self.store.budgets()))
        self.answers = service.answers
        (rule,) = service.group().rules
        samples = read_samples(rule, self.lake, eval_ts=self.now, clean=as_it_is)
        result = step(self.alerts, samples, Waits(), at=self.now)
        self.alerts = dict(result.alerts)
        self.told += [(str(each.state), each.alert.labels["rung"], each.alert.labels["severity"]) for each in result.transitions]
        self.summaries = [alert.annotations["summary"] for alert in self.alerts.values() if alert.state is State.FIRING]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    write_lake(tmp_path)
    with Lake.open(tmp_path, threads=1) as lake, closing(BudgetStore.open(tmp_path)) as store:
        store.set(monthly(10))
        yield Process(tmp_path, lake, store)


def test_spending_climbs_the_rungs_once_each_and_the_last_is_critical(process: Process) -> None:
    """Each round is a service of its own: what was told is not told again after a restart."""
    process.round(4.9)
    assert process.told == []
    process.round(0.2)
    process.round()
    assert process.told == [("firing", "50%", "warning")]
    assert process.summaries == ["agent:support has used 51% of its budget of $10 a month"]
    process.round(3)
    assert process.told[1:] == [("firing", "80%", "warning"), ("resolved", "50%", "warning")] or process.told[1:] == [
        ("resolved", "50%", "warning"),
        ("firing", "80%", "warning"),
    ]
    process.round(5)
    assert ("firing", "100%", "critical") in process.told
    process.round(1, after=timedelta(hours=3))
    process.round(after=timedelta(days=5))
    assert [rung for state, rung, _ in process.told if state == "firing"] == ["50%", "80%", "100%"]
    process.round(0.1, after=timedelta(days=6))
    assert process.now.month == 12
    assert process.told[-1] == ("resolved", "100%", "critical")


def test_a_rung_that_was_told_ends_by_itself(process: Process) -> None:
    process.round(6)
    process.round(after=timedelta(hours=1))
    assert process.told == [("firing", "50%", "warning"), ("resolved", "50%", "warning")]


def test_a_raised_limit_ends_the_critical_alert(process: Process) -> None:
    process.round(12)
    assert process.told == [("firing", "100%", "critical")]
    process.store.set(monthly(100))
    process.round()
    assert process.told[-1] == ("resolved", "100%", "critical")
    assert process.answers is not None
    assert [standing.remaining for standing in process.answers.standings] == [88]


def test_labels_name_agent_and_tenant_as_other_alerts_do(process: Process) -> None:
    process.store.set(monthly(1, Scope(kind=Kind.AGENT, subject="support", tenant="acme")))
    write_lake(process.data, spans=[model("x", id="x", tenant="acme", cost=2.0)])
    process.round()
    assert [dict(alert.labels) for alert in process.alerts.values()] == [
        {
            "alertname": "BudgetBurn", "scope": "agent:support", "agent_name": "support", "tenant": "acme", "rung": "100%",
            "severity": "critical", "budget": "$1 a month", "period": "month from 2026-11-01",
        }
    ]  # fmt: skip


def test_a_restart_resolves_nothing_before_everything_is_counted(process: Process) -> None:
    """Who was told that a budget is spent is not told that it resolved, and then again."""
    process.store.set(monthly(1))
    process.round(2)
    evaluated = fakes.Process(process.data, rules="groups: []")
    service = BudgetService(process.data, files=(), stored_name=str, interval_seconds=30, clock=lambda: process.now)
    runner = GroupRunner(replace(evaluated.runner._context, lake=process.lake), [service.group()])
    service.remember(process.store)
    service.refresh(Accountant(process.lake, process.store), process.store, in_force(process.store.budgets()))
    runner.tick(process.now)
    assert [str(alert.state) for alert in evaluated.store.alerts()["budgets;budgets;BudgetBurn"].values()] == ["firing"]
    again = BudgetService(process.data, files=(), stored_name=str, interval_seconds=30, clock=lambda: process.now)
    runner = GroupRunner(replace(evaluated.runner._context, lake=process.lake), [again.group()])
    for minutes in (1, 2):
        runner.tick(process.now + timedelta(minutes=minutes))
    assert [str(alert.state) for alert in evaluated.store.alerts()["budgets;budgets;BudgetBurn"].values()] == ["firing"]
    assert [(status.error, status.rows) for status in evaluated.store.rules()] == [(None, None)]
    again.without_budgets()
    runner.tick(process.now + timedelta(minutes=3))
    assert [str(alert.state) for alert in evaluated.store.alerts()["budgets;budgets;BudgetBurn"].values()] == ["resolved"]
    evaluated.store.close()


def test_what_stays_is_left_out_of_collections_once_everything_is_counted(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stop who answers."""
    left_out: list[bool] = []
    monkeypatch.setattr("alerts.budgets.service.leave_out_what_stays", lambda: left_out.append(service.answers is not None))
    process.store.set(monthly(1))
    service = BudgetService(process.data, files=(), stored_name=str, interval_seconds=30, clock=lambda: process.now)
    accountant = Accountant(process.lake, process.store)
    for _again in range(2):
        service.refresh(accountant, process.store, in_force(process.store.budgets()))
    assert left_out == [True]


@contextmanager
def running(service: BudgetService, data: Path) -> Iterator[None]:
    with Lake.open(data, threads=1) as lake, service.running(lake):
        yield


def test_the_process_counts_serves_once_there_is_a_budget_and_stops(tmp_path: Path) -> None:
    """A budget that is set by command while it runs is seen; without one no port is opened."""
    write_lake(tmp_path, spans=[model("x", id="x", cost=2.0)])
    served = threading.Event()

    def endpoint(answers: object) -> AbstractContextManager[None]:
        served.set()
        return nullcontext()

    file = tmp_path / "budgets.yaml"
    file.write_text("budgets: []")
    service = BudgetService(tmp_path, files=[file], stored_name=str, interval_seconds=30, clock=lambda: NOON, endpoint=endpoint)
    service.load()()
    with running(service, tmp_path):
        assert not served.is_set()
        with closing(BudgetStore.open(tmp_path)) as store:
            store.set(monthly(10))
        assert served.wait(20)
        wait_until(lambda: service.answers)
        known = service.answers
        assert known is not None
        assert [standing.spent for standing in known.standings] == [2.0]
        file.write_text("budgets: [{agent: support}]")
        with pytest.raises(RuleFileError, match="no limit"):
            service.load()


def test_erasing_somebody_takes_their_budget_and_their_spending(process: Process) -> None:
    name = "<EMAIL_ADDRESS:00112233aabbccdd>"
    user = Scope(kind=Kind.USER, subject=name)
    process.store.set(monthly(1, user))
    write_lake(
        process.data, spans=[model("x", id="x", actor=name, cost=2.0), model("y", id="y", run="r", trace="t", actor="bob", cost=1.0)]
    )
    process.round()
    assert forget(process.data, lambda text: name in text) >= 3
    assert [str(budget.scope) for budget in process.store.budgets()] == ["agent:support"]
    assert {cell.user for cells in process.store.spending().values() for cell in cells} == {"bob"}
    assert all(key[0].subject != name for key in process.store.reached())
    assert name.encode() not in (process.data / "alerts.sqlite").read_bytes()
