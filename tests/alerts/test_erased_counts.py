"""Whoever is erased while the alert process counts is in no count that it keeps: of objectives, and of what was spent."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.budgets.model import Budget, Kind, Period, Scope, Unit
from alerts.budgets.service import BudgetService
from alerts.budgets.spending import Accountant
from alerts.budgets.standing import Cell
from alerts.budgets.store import BudgetStore
from alerts.errors import NotYet, Outdated
from alerts.groups import GroupRunner
from alerts.slo.counts import Hour, Tally
from alerts.slo.keeping import KeptHours
from alerts.state import AlertStore
from storage.lake import Lake
from tests import on_disk
from tests.alerts.erasing import NAME, erase_here, places
from tests.alerts.fakes import START, Process, as_it_is
from tests.lake_builder import model, write_lake
from tests.polling import wait_until

tmp_path_factory = on_disk.tmp_path_factory


def test_counts_of_objectives_are_not_kept_after_an_order(tmp_path: Path) -> None:
    """An hour that was counted before is not written by who counted it; a rule that counts begins anew."""
    store = AlertStore.open(tmp_path)
    kept = KeptHours()
    kept.connect(store)
    labels = (("agent_name", NAME),)
    hour = Hour.of({labels: {0: Tally(1, 2)}}, counted_at=START, through=60)
    kept.save("slo", {7: hour, 8: replace(hour, minutes={}, totals={})}, before=0)
    erase_here(tmp_path)
    with pytest.raises(Outdated):
        kept.save("slo", {9: hour}, before=0)
    store.recall()
    assert sorted(kept.load("slo")) == [8]
    assert places(tmp_path) == []
    store.close()


@pytest.fixture
def spent(tmp_path: Path) -> Iterator[tuple[BudgetService, Lake, BudgetStore, list[Budget]]]:
    """A lake in which she and an agent spent something, each with a budget, and what counts that."""
    write_lake(tmp_path, spans=[model("x", id="x", actor=NAME, cost=2.0), model("y", id="y", run="r", trace="t", actor="bob", cost=1.0)])
    scopes = [Scope(kind=Kind.USER, subject=NAME), Scope(kind=Kind.USER, subject="bob")]
    budgets = [Budget(scope=scope, period=Period.MONTH, unit=Unit.USD, limit=1, forecast=False) for scope in scopes]
    service = BudgetService(tmp_path, files=(), stored_name=str, interval_seconds=30, clock=lambda: START)
    with Lake.open(tmp_path, threads=1) as lake, closing(BudgetStore.open(tmp_path)) as store:
        for budget in budgets:
            store.set(budget)
        yield service, lake, store, budgets


def told(service: BudgetService, lake: Lake) -> list[str]:
    """Return whose budgets the rule tells."""
    (rule,) = service.group().rules
    assert rule.source is not None
    return sorted(row["scope"] for row in rule.source.rows(lake, eval_ts=START, clean=as_it_is, timeout_seconds=1))


def test_budgets_tell_nothing_of_whom_was_erased(spent: tuple[BudgetService, Lake, BudgetStore, list[Budget]], tmp_path: Path) -> None:
    """Until they are counted again nobody is told anything, and alerts stay as they are."""
    service, lake, store, budgets = spent
    accountant = Accountant(lake, store)
    service.refresh(accountant, store, budgets)
    assert told(service, lake) == ["user:bob", f"user:{NAME}"]
    erase_here(tmp_path)
    with pytest.raises(Outdated):
        store.store_day("2026-11-21", "mark", [Cell(tenant="", agent="a", user=NAME, usd=1, tokens=1, calls=1, unpriced=0, unmetered=0)])
    with pytest.raises(Outdated):
        service.refresh(accountant, store, budgets)
    (rule,) = service.group().rules
    assert rule.source is not None
    rule.source.forget()
    with pytest.raises(NotYet):
        told(service, lake)
    store.recall()
    service.remember(store)
    service.refresh(Accountant(lake, store), store, store.budgets())
    assert told(service, lake) == ["user:bob"]
    assert traces_of_budgets(tmp_path) == []


def traces_of_budgets(data: Path) -> list[str]:
    """Return where the state of the alerts names her: in this test the lake's own files do."""
    return [place for place in places(data) if place.startswith("alerts.sqlite")]


def test_a_process_raises_nothing_of_whom_was_erased_from_what_it_counted(
    spent: tuple[BudgetService, Lake, BudgetStore, list[Budget]], tmp_path: Path
) -> None:
    """Before anything is counted again, and nobody else's alert ends because of that."""
    service, lake, store, budgets = spent
    service.refresh(Accountant(lake, store), store, budgets)
    process = Process(tmp_path, rules="groups: []")
    runner = GroupRunner(replace(process.runner._context, lake=lake), [service.group()])
    runner.tick(START)
    assert {alert.labels["scope"] for alert in runner.alerts()} == {f"user:{NAME}", "user:bob"}
    erase_here(tmp_path)
    runner.tick(START + timedelta(minutes=1))
    assert [(alert.labels["scope"], str(alert.state)) for alert in runner.alerts()] == [("user:bob", "firing")]
    assert traces_of_budgets(tmp_path) == []
    process.store.close()


@pytest.mark.parametrize("left", [["bob"], []])
def test_a_process_that_counts_budgets_counts_again_by_itself(
    spent: tuple[BudgetService, Lake, BudgetStore, list[Budget]], tmp_path: Path, left: list[str]
) -> None:
    """Within a second or two, also when no budget is left."""
    service, lake, store, budgets = spent
    if not left:
        store.remove(budgets[1].scope, Period.MONTH, Unit.USD)
    with service.running(lake):
        wait_until(lambda: service.answers)
        erase_here(tmp_path)
        (rule,) = service.group().rules
        assert rule.source is not None
        rule.source.forget()

        def known() -> bool:
            try:
                return told(service, lake) == [f"user:{name}" for name in left]
            except NotYet:
                return False

        wait_until(known)
    assert traces_of_budgets(tmp_path) == []
