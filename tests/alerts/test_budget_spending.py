"""What was spent is exactly what the views say, counted again only where something has changed."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.budgets.model import Budget, Kind, Period, Scope, Unit
from alerts.budgets.spending import Accountant
from alerts.budgets.store import BudgetStore
from storage.catalog import Catalog
from storage.catalog_removals import Order, begin
from storage.erasure import Hooks
from storage.lake import Lake
from storage.retention import RetentionRule, apply
from tests.lake_builder import START_NS, event, model, span, write_lake

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)  # tests.lake_builder.START_NS
HOUR = 3600.0
DAY = 24 * HOUR
MONTHLY = [Budget(scope=Scope(kind=Kind.AGENT, subject="support"), period=Period.MONTH, unit=Unit.USD, limit=100)]
EXACT = "SELECT coalesce(sum(cost_usd), 0) AS usd, coalesce(sum(unpriced_calls), 0) AS unpriced FROM runs"


class Counting:
    """A lake that remembers which days were read."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.days: list[str] = []

    @property
    def catalog(self) -> Catalog:
        return self._lake.catalog

    def sql(self, text: str, params: Any = None, **options: Any) -> Any:
        self.days.append(params["from_time"].date().isoformat())
        return self._lake.sql(text, params, **options)


@contextmanager
def accounts(data: Path) -> Iterator[tuple[Accountant, BudgetStore, Counting, Lake]]:
    with Lake.open(data, threads=1) as lake, closing(BudgetStore.open(data)) as store:
        counting = Counting(lake)
        yield Accountant(counting, store), store, counting, lake


def whole(store: BudgetStore) -> dict[str, float]:
    cells = [cell for cells in store.spending().values() for cell in cells]
    return {"usd": sum(cell.usd for cell in cells), "unpriced": sum(cell.unpriced for cell in cells)}


def test_the_sum_of_all_days_is_the_sum_of_all_runs(tmp_path: Path) -> None:
    """Wrappers, reports of one call by several instrumentations, agents that alone know, calls without a price, a run over midnight."""
    write_lake(
        tmp_path,
        spans=[
            span("root", id="root", step_kind="agent", actor="alice", took=10),
            model("wrapper", id="w", parent="root", at=1, took=5, cost=0.5),
            model("wrapped", id="x", parent="w", at=2, took=2, cost=0.5),
            model("unpriced", id="y", parent="root", at=8, cost=None),
            span("hosted", id="h", run="run-2", trace="t2", step_kind="agent", input_tokens=100, output_tokens=5, cost_usd=0.25),
            model("late evening", id="e", run="run-3", trace="t3", at=11.9 * HOUR, cost=2.0),
            model("early morning", id="m", run="run-3", trace="t3", at=12.1 * HOUR, cost=3.0),
        ],
    )
    with accounts(tmp_path) as (accountant, store, counting, lake):
        assert accountant.refresh(MONTHLY, as_of=NOON + timedelta(days=1))
        assert whole(store) == lake.sql(EXACT).to_pylist()[0] == {"usd": 5.75 + 0.0, "unpriced": 1}
        by_day = {day: sum(cell.usd for cell in cells) for day, cells in store.spending().items()}
        assert by_day == {"2026-11-21": 2.75, "2026-11-22": 3.0}
        assert sorted(counting.days) == ["2026-11-21", "2026-11-22"]


def test_a_call_is_its_agents_and_the_users_of_its_run(tmp_path: Path) -> None:
    """The root, which alone says the user, comes last and begins first."""
    write_lake(
        tmp_path,
        spans=[
            span("root", id="root", step_kind="agent", actor="<EMAIL_ADDRESS:00112233aabbccdd>", tenant="acme"),
            model("a", id="a", parent="root", cost=1.0, tenant="acme"),
            model("b", id="b", parent="root", cost=2.0, agent_name="researcher"),
            model("c", id="c", run="run-2", trace="t2", cost=4.0, actor="bob", tenant="other"),
        ],
    )
    with accounts(tmp_path) as (accountant, store, _, _):
        accountant.refresh(MONTHLY, as_of=NOON)
        (cells,) = store.spending().values()
    alice = "<EMAIL_ADDRESS:00112233aabbccdd>"
    assert sorted((cell.tenant, cell.agent, cell.user, cell.usd) for cell in cells) == [
        ("acme", "researcher", alice, 2.0),
        ("acme", "support", alice, 1.0),
        ("other", "support", "bob", 4.0),
    ]


def test_only_days_with_news_are_counted_again(tmp_path: Path) -> None:
    """Late records count on their own day; what nothing has come of is not read; a restart goes on where it was."""
    write_lake(tmp_path, spans=[model("old", id="o", run="r0", trace="t0", at=-5 * DAY, cost=1.0), model("new", id="n", cost=1.0)])
    with accounts(tmp_path) as (accountant, store, counting, _):
        accountant.refresh(MONTHLY, as_of=NOON)
        assert sorted(counting.days) == ["2026-11-16", "2026-11-21"]
        counting.days.clear()
        accountant.refresh(MONTHLY, as_of=NOON)
        assert counting.days == []
    write_lake(tmp_path, spans=[model("late", id="l", run="r1", trace="t1", at=-5 * DAY, cost=8.0)])
    with accounts(tmp_path) as (accountant, store, counting, lake):
        accountant.refresh(MONTHLY, as_of=NOON)
        assert counting.days == ["2026-11-16"]
        assert whole(store) == lake.sql(EXACT).to_pylist()[0]
        amount = accountant.ledger.between(MONTHLY[0].scope, date(2026, 11, 1), date(2026, 12, 1))
        assert amount.usd == 10.0


def test_a_user_who_is_told_late_is_known_on_the_next_day_too(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[model("after midnight", id="a", parent="root", at=12.5 * HOUR, cost=1.0)])
    with accounts(tmp_path) as (accountant, store, counting, _):
        accountant.refresh(MONTHLY, as_of=NOON + timedelta(days=1))
        counting.days.clear()
        write_lake(tmp_path, spans=[span("root", id="root", step_kind="agent", actor="bob", at=11.5 * HOUR, took=2 * HOUR)])
        accountant.refresh(MONTHLY, as_of=NOON + timedelta(days=1))
        assert sorted(counting.days) == ["2026-11-21", "2026-11-22"]
        assert [cell.user for cell in store.spending()["2026-11-22"]] == ["bob"]


def test_a_trace_that_joins_a_run_has_its_days_counted_again(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[model("call", id="c", run="t2", trace="t2", at=-3 * DAY, cost=1.0)])
    with accounts(tmp_path) as (accountant, store, counting, _):
        accountant.refresh(MONTHLY, as_of=NOON)
        counting.days.clear()
        write_lake(tmp_path, events=[event("run.started", run="r", actor="carol", at=-3 * DAY - 60)], trace_runs={"t2": "r"})
        accountant.refresh(MONTHLY, as_of=NOON)
        assert "2026-11-18" in counting.days
        assert [cell.user for cell in store.spending()["2026-11-18"]] == ["carol"]


def test_what_expired_was_spent_all_the_same(tmp_path: Path) -> None:
    """A retention of three days gives no monthly budget back, also across restarts."""
    write_lake(tmp_path, spans=[model("old", id="o", run="r0", trace="t0", at=-5 * DAY, cost=1.0)])
    write_lake(tmp_path, spans=[model("new", id="n", cost=2.0)])
    with accounts(tmp_path) as (accountant, _, _, _):
        accountant.refresh(MONTHLY, as_of=NOON)
    assert apply(tmp_path, [RetentionRule(keep_seconds=3 * DAY)], now_ns=START_NS, hooks=Hooks()).rows == 1
    for _ in range(2):
        with accounts(tmp_path) as (accountant, store, counting, _):
            assert accountant.refresh(MONTHLY, as_of=NOON + timedelta(hours=1))
            assert (counting.days, whole(store)["usd"]) == ([], 3.0)


def test_days_that_lost_rows_are_counted_again_when_somebody_erased(tmp_path: Path) -> None:
    """A file that is only damaged is read again one day; what it said was spent."""
    [old] = write_lake(tmp_path, spans=[model("old", id="o", run="r0", trace="t0", at=-5 * DAY, cost=1.0)])
    [older] = write_lake(tmp_path, spans=[model("older", id="p", run="r1", trace="t1", at=-7 * DAY, cost=4.0)])
    with accounts(tmp_path) as (accountant, store, counting, _), closing(Catalog.open(tmp_path)) as catalog:
        accountant.refresh(MONTHLY, as_of=NOON)
        catalog.mark_damaged(old.path, "a byte")
        accountant.refresh(MONTHLY, as_of=NOON)
        assert whole(store)["usd"] == 5.0
        counting.days.clear()
        said = Order(id="1", kind="erasure", at_ns=START_NS, subject="actor", fingerprint="f", reason="asked for", ordered_by="root")
        begin(catalog, said)
        catalog.mark_damaged(older.path, "taken out")
        accountant.refresh(MONTHLY, as_of=NOON)
        assert (counting.days, whole(store)["usd"]) == (["2026-11-14"], 1.0)


def test_days_before_the_history_are_forgotten(tmp_path: Path) -> None:
    write_lake(tmp_path, spans=[model("old", id="o", cost=1.0)])
    with accounts(tmp_path) as (accountant, store, _, _):
        accountant.refresh(MONTHLY, as_of=NOON)
        assert list(store.spending()) == ["2026-11-21"]
        accountant.refresh(MONTHLY, as_of=NOON + timedelta(days=80))
        assert (store.spending(), store.marks()) == ({}, {})


def test_history_waits_when_it_takes_long_and_the_period_never_does(tmp_path: Path) -> None:
    """On the second of the month: two days of the period, two of history, which a slow clock lets wait."""
    days = [model(f"m{ago}", id=f"m{ago}", run=f"r{ago}", trace=f"t{ago}", at=-ago * DAY, cost=1.0) for ago in (19, 20, 23, 26)]
    write_lake(tmp_path, spans=days)
    second = datetime(2026, 11, 2, 12, tzinfo=UTC)
    with Lake.open(tmp_path, threads=1) as lake, closing(BudgetStore.open(tmp_path)) as store:
        clock = iter(range(0, 1000, 20))
        accountant = Accountant(lake, store, monotonic=lambda: float(next(clock)))
        assert accountant.refresh(MONTHLY, as_of=second) is False
        assert list(store.spending()) == ["2026-11-01", "2026-11-02"]
        counted = store.counted()
        assert counted is not None
        assert counted.as_of == second


@pytest.mark.parametrize("unit", list(Unit))
def test_budgets_are_kept_replaced_and_removed(tmp_path: Path, unit: Unit) -> None:
    scope = Scope(kind=Kind.USER, subject="u", tenant="acme")
    budget = Budget(scope=scope, period=Period.DAY, unit=unit, limit=5, rungs=(0.9, 1.0), forecast=False, set_by="ops", set_at=NOON)
    of_file = Budget(scope=scope, period=Period.DAY, unit=unit, limit=7, source="f.yaml")
    with closing(BudgetStore.open(tmp_path)) as store:
        store.set(Budget(scope=scope, period=Period.DAY, unit=unit, limit=1))
        store.set(budget)
        store.replace_files([of_file])
        assert store.budgets() == [budget, of_file]
        assert store.remove(scope, Period.DAY, unit)
        assert not store.remove(scope, Period.DAY, unit)
        store.replace_files([])
        assert store.budgets() == []
