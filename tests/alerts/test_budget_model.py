"""Budgets without a lake: periods, files, how budgets stand, where it leads, which rungs are reached and told."""

import gc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from alerts.budgets.answers import Answers, Wanted, answer
from alerts.budgets.file import BudgetFileError, load_budgets
from alerts.budgets.forecast import forecast
from alerts.budgets.model import Budget, Kind, Period, Scope, Unit, checked_limit, checked_rungs, in_force, scope_of
from alerts.budgets.rule import TOLD_FOR, burn_rows
from alerts.budgets.rungs import FORECAST, Reached, reached
from alerts.budgets.standing import Cell, Ledger, Standing, standing, standings

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)  # a Monday, the middle of the month: 15.5 of 30 days have passed
TODAY = NOW.date()
SUPPORT = Scope(kind=Kind.AGENT, subject="support")


def budget(
    scope: Scope = SUPPORT,
    limit: float = 100.0,
    period: Period = Period.MONTH,
    *,
    unit: Unit = Unit.USD,
    rungs: tuple[float, ...] = (0.5, 0.8, 1.0),
    source: str = "command",
) -> Budget:
    return Budget(scope=scope, period=period, unit=unit, limit=limit, rungs=rungs, source=source)


def cell(usd: float = 1.0, *, tenant: str = "acme", agent: str = "support", user: str = "u", **more: int) -> Cell:
    return Cell(tenant=tenant, agent=agent, user=user, usd=usd, **{"tokens": 10, "calls": 1, "unpriced": 0, "unmetered": 0, **more})


def spent(*cells: Cell, day: date = TODAY) -> Ledger:
    ledger = Ledger()
    ledger.replace(day, cells)
    return ledger


def stands(usd: float, *, at: datetime = NOW, limit: float = 100.0, rungs: tuple[float, ...] = (0.5, 0.8, 1.0)) -> Standing:
    return standing(budget(limit=limit, rungs=rungs), SUPPORT, spent(cell(usd), day=at.date()), as_of=at)


@pytest.mark.parametrize(
    ("period", "day", "begin", "end"),
    [
        ("day", "2026-11-16", "2026-11-16", "2026-11-17"),
        ("week", "2026-11-16", "2026-11-16", "2026-11-23"),
        ("week", "2027-01-01", "2026-12-28", "2027-01-04"),
        ("month", "2026-12-31", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29", "2028-02-01", "2028-03-01"),
    ],
)
def test_periods_are_whole_days_weeks_from_monday_and_calendar_months(period: str, day: str, begin: str, end: str) -> None:
    found, today = Period(period), date.fromisoformat(day)
    assert (found.begin(today).isoformat(), found.end(today).isoformat()) == (begin, end)


@pytest.mark.parametrize("text", ["support", "agent:", "agent: ", "team:x", "agent:" + "x" * 257])
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write user:NAME|has 1 to 256 characters"):
        scope_of(text)


def test_a_name_may_hold_colons_and_a_tenant_narrows_users_and_agents_alone() -> None:
    assert scope_of("agent:a:b", "acme") == Scope(kind=Kind.AGENT, subject="a:b", tenant="acme")
    assert scope_of("tenant:acme", "acme") == Scope(kind=Kind.TENANT, subject="acme")


def test_limits_and_rungs_that_mean_nothing_are_refused() -> None:
    for limit in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="above 0"):
            checked_limit(limit)
    for rungs in ((), (0.5, 0.5), (0.0,), (1.2,)):
        with pytest.raises(ValueError, match="different shares"):
            checked_rungs(rungs)
    assert checked_rungs((1, 0.5)) == (0.5, 1)


def test_files_say_budgets_and_every_mistake_with_its_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(
        "budgets:\n"
        "  - {agent: support, usd: 100, tokens: 5000000}\n"
        '  - {user: "*", period: day, usd: 2.5, rungs: [1], forecast: false}\n'
        "  - {user: Alice, tenant: acme, usd: 20}\n"
        "  - {tenant: acme, period: week, usd: 500}\n"
    )
    found = load_budgets([good], stored_name=str.lower)
    assert [(str(each.scope), each.scope.tenant, each.text, each.source) for each in found] == [
        ("agent:support", "", "$100 a month", "good.yaml"),
        ("agent:support", "", "5,000,000 tokens a month", "good.yaml"),
        ("user:*", "", "$2.50 a day", "good.yaml"),
        ("user:alice", "acme", "$20 a month", "good.yaml"),
        ("tenant:acme", "", "$500 a week", "good.yaml"),
    ]
    bad.write_text(
        "budgets:\n"
        "  - {agent: support, usd: 1}\n"
        "  - {agent: support, usd: 2}\n"
        "  - {agent: x, user: y, usd: 1}\n"
        "  - {usd: 1}\n"
        "  - {agent: x}\n"
        "  - {agent: x, usd: -1}\n"
        "  - {agent: x, usd: 1, peroid: day}\n"
        '  - {agent: x, tenant: "*", usd: 1}\n'
    )
    with pytest.raises(BudgetFileError) as refused:
        load_budgets([bad], stored_name=str)
    told = [(problem.line, problem.message) for problem in refused.value.problems]
    assert [line for line, _ in told] == [4, 5, 6, 7, 8, 9]
    assert "did you mean 'period'?" in told[4][1]
    bad.write_text("budgets: [{agent: support, usd: 1}, {agent: support, usd: 2}]")
    with pytest.raises(BudgetFileError, match="stands twice"):
        load_budgets([bad], stored_name=str)
    with pytest.raises(BudgetFileError, match="stands twice"):
        load_budgets([good, good], stored_name=str)


def test_a_commands_budget_goes_before_a_files() -> None:
    of_file, of_command, other = budget(limit=1, source="f.yaml"), budget(limit=2), budget(limit=3, period=Period.DAY, source="f.yaml")
    assert {each.limit for each in in_force([of_command, of_file, other])} == {2, 3}


def test_a_budget_counts_its_scope_in_its_period_and_tells_what_has_no_price() -> None:
    ledger = spent(cell(2, user="a", tokens=5), cell(3, tenant="other", user="b", unpriced=4), cell(100, agent="writer"))
    ledger.replace(date(2026, 11, 1), [cell(10)])
    ledger.replace(date(2026, 10, 31), [cell(1000)])

    def of(scope: Scope, *, period: Period = Period.MONTH, unit: Unit = Unit.USD) -> tuple[float, int]:
        found = standing(budget(scope, period=period, unit=unit), scope, ledger, as_of=NOW)
        return found.spent, found.unknown_calls

    assert of(SUPPORT) == (15, 4)
    assert of(SUPPORT, period=Period.DAY) == (5, 4)
    assert of(Scope(kind=Kind.AGENT, subject="support", tenant="acme")) == (12, 0)
    assert of(Scope(kind=Kind.TENANT, subject="acme")) == (112, 0)
    assert of(Scope(kind=Kind.USER, subject="b")) == (3, 4)
    assert of(Scope(kind=Kind.USER, subject="a"), unit=Unit.TOKENS) == (5, 0)
    assert of(Scope(kind=Kind.AGENT, subject="nobody")) == (0, 0)


def test_each_has_a_budget_of_its_own_unless_another_is_set() -> None:
    each = Scope(kind=Kind.USER, subject="*")
    own = Scope(kind=Kind.USER, subject="a")
    budgets = [budget(each, 10), budget(own, 99), budget(each, 5, Period.DAY)]
    ledger = spent(cell(1, user="a"), cell(2, user="b"), cell(7, user=""))
    found = [(str(one.scope), one.budget.text, one.spent) for one in standings(budgets, ledger, as_of=NOW)]
    assert found == [
        ("user:b", "$10 a month", 2),
        ("user:a", "$99 a month", 1),
        ("user:a", "$5 a day", 1),
        ("user:b", "$5 a day", 2),
    ]
    answers = Answers(budgets, ledger, as_of=NOW)
    new = answers.of(Scope(kind=Kind.USER, subject="c"), ["c"])
    assert [(str(one.scope), one.spent, one.remaining) for one in new] == [("user:*", 0, 10), ("user:*", 0, 5)]
    assert len(answers.of(own, ["nothing", "a"])) == 2
    assert answers.of(SUPPORT, ["support"]) == []


def test_a_day_is_replaced_and_old_days_are_forgotten() -> None:
    yesterday = TODAY - timedelta(days=1)
    ledger = spent(cell(3), cell(4, user="other"), day=yesterday)
    ledger.replace(TODAY, [cell(1)])
    ledger.replace(TODAY, [cell(2)])
    month = (TODAY.replace(day=1), NOW.date() + timedelta(days=1))
    assert ledger.between(SUPPORT, *month).usd == 9
    assert ledger.by_day(SUPPORT, Unit.TOKENS) == {yesterday: 20, TODAY: 10}
    assert [scope.subject for scope in ledger.scopes(Kind.USER, "", *month)] == ["other", "u"]
    ledger.forget(TODAY)
    assert ledger.by_day(SUPPORT, Unit.USD) == {TODAY: 2}
    assert [scope.subject for scope in ledger.scopes(Kind.USER, "", *month)] == ["u"]
    ledger.replace(TODAY, [])
    assert ledger.scopes(Kind.USER, "", *month) == []


def test_days_that_are_kept_are_nothing_to_the_garbage_collector() -> None:
    """A full collection stops all threads, who answers among them: with an object for each user and day it took half a second."""

    def tracked(days: int) -> int:
        gc.collect()
        before = len(gc.get_objects())
        ledger = Ledger()
        for number in range(days):
            ledger.replace(TODAY - timedelta(days=number), [cell(user=str(user)) for user in range(100)])
        gc.collect()
        assert ledger.scopes(Kind.USER, "", TODAY, TODAY + timedelta(days=1))
        return len(gc.get_objects()) - before

    assert tracked(days=60) < tracked(days=1) + 50


def test_an_answer_is_that_of_all_budgets_and_tells_the_tightest_first() -> None:
    found = [stands(40), standing(budget(limit=45, period=Period.DAY), SUPPORT, spent(cell(40)), as_of=NOW)]
    told = answer(found, Wanted(usd=6))
    assert (told["allowed"], told["decision"], told["remaining"], told["period"]) == (False, "denied", 5, "day")
    assert [one["remaining"] for one in told["budgets"]] == [60, 5]
    assert answer(found, Wanted(usd=5))["allowed"]
    assert answer(found, Wanted())["allowed"]
    assert answer([stands(100)], Wanted())["allowed"] is False
    assert told["period_end"] == "2026-11-17T00:00:00.000000Z"


def test_sums_of_small_prices_reach_a_rung_exactly() -> None:
    """Ten times 0.1 is 0.9999999999999999 when it is added up."""
    ledger = spent(*(cell(0.1, user=str(number)) for number in range(10)))
    found = standing(budget(limit=1), SUPPORT, ledger, as_of=NOW)
    assert found.remaining == 0
    assert {"0.5", "0.8", "1"} <= reached(found, {}, at=NOW).keys()


def test_without_history_a_forecast_is_linear() -> None:
    found = forecast({TODAY: 31.0}, Period.MONTH, as_of=NOW)
    assert found is not None
    assert found.method == "linear"
    assert found.amount == pytest.approx(60)
    day = forecast({TODAY: 4.0}, Period.DAY, as_of=NOW)
    assert day is not None
    assert day.amount == pytest.approx(8)


def test_nobody_knows_where_a_period_leads_that_has_hardly_begun() -> None:
    assert forecast({date(2026, 11, 3): 5}, Period.MONTH, as_of=datetime(2026, 11, 3, 20, tzinfo=UTC)) is None
    assert forecast({TODAY: 5}, Period.DAY, as_of=NOW.replace(hour=5)) is None


def test_with_four_weeks_of_history_days_count_as_their_weekday_does() -> None:
    """Work on weekdays alone: on a Friday evening the week is over, where a straight line would see two more days."""
    friday = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    days = [friday.date() - timedelta(days=number) for number in range(40)]
    amounts = {day: 10.0 for day in days if day.weekday() < 5}
    week = forecast(amounts, Period.WEEK, as_of=friday)
    assert week is not None
    assert week.method == "weekday"
    assert week.amount == pytest.approx(50, abs=0.01)
    recent = {day: amount for day, amount in amounts.items() if day > friday.date() - timedelta(days=20)}
    straight = forecast(recent, Period.WEEK, as_of=friday)
    assert straight is not None
    assert straight.method == "linear"
    assert straight.amount == pytest.approx(70, abs=0.01)


def test_of_several_rungs_reached_at_once_the_highest_is_told() -> None:
    found = stands(85)
    known = reached(found, {}, at=NOW)
    assert known.keys() == {"0.5", "0.8", FORECAST}
    rows = [(row["rung"], row["severity"], row["value"]) for row in burn_rows(found, known, at=NOW)]
    assert rows[0] == ("80%", "warning", 0.85)


def test_a_rung_is_told_once_a_period_and_the_whole_limit_until_its_end() -> None:
    """Late records that were taken back and came again tell nothing twice; the next period begins anew."""
    low, high = stands(49), stands(51)
    known = reached(low, {}, at=NOW)
    assert list(burn_rows(low, known, at=NOW)) == []
    known = reached(high, known, at=NOW)
    assert [row["rung"] for row in burn_rows(high, known, at=NOW)] == ["50%"]
    known = reached(stands(51), reached(low, known, at=NOW), at=NOW + TOLD_FOR)
    assert list(burn_rows(high, known, at=NOW + TOLD_FOR)) == []
    full = stands(100)
    known = reached(full, known, at=NOW + TOLD_FOR)
    end = full.end - timedelta(seconds=1)
    assert [(row["rung"], row["severity"]) for row in burn_rows(full, known, at=end)] == [("100%", "critical")]
    assert list(burn_rows(full, known, at=full.end)) == []


def test_a_limit_that_is_raised_tells_its_own_rungs() -> None:
    known = reached(stands(85), {}, at=NOW)
    later = NOW + timedelta(hours=2)
    raised = reached(stands(85, limit=160), known, at=later)
    assert raised["0.5"] == Reached(rung="0.5", limit=160, at=NOW)
    assert "0.8" not in raised
    again = reached(stands(130, limit=160), raised, at=later)
    assert again["0.8"].at == later


def test_a_forecast_beyond_the_limit_is_told_once() -> None:
    found = stands(55)
    known = reached(found, {}, at=NOW)
    rows = {row["rung"]: row for row in burn_rows(found, known, at=NOW)}
    assert (rows[FORECAST]["severity"], rows[FORECAST]["value"]) == ("warning", pytest.approx(55 / 100 * 30 / 15.5))
    assert FORECAST not in reached(stands(10), {}, at=NOW)
    assert [row["rung"] for row in burn_rows(stands(10), known, at=NOW)] == ["50%"]
