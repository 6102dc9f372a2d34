"""How budgets stand: what was spent of each in its period, what is left, and where it leads. Pure, from what was spent on each day."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from alerts.budgets.forecast import Forecast, forecast
from alerts.budgets.model import EACH, Budget, Kind, Scope, Unit, midnight

DIGITS: Final = 9
"""Of an amount: sums of many small prices differ beyond them by the order in which they were added."""
NOBODY: Final = ""
"""A tenant, agent or user that no record said; nobody's spending is in no budget but those of what is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What counted calls took on one day, in one tenant, by one agent, for one user."""

    tenant: str
    agent: str
    user: str
    usd: float
    tokens: int
    calls: int
    unpriced: int
    unmetered: int


@dataclass(slots=True)
class Amount:
    """What was spent, and how many calls are not in it because nobody knows what they took."""

    usd: float = 0.0
    tokens: int = 0
    unpriced: int = 0
    unmetered: int = 0

    def add(self, other: "Cell | Amount") -> None:
        """Add what another one has."""
        self.usd += other.usd
        self.tokens += other.tokens
        self.unpriced += other.unpriced
        self.unmetered += other.unmetered

    def of(self, unit: Unit) -> float:
        """Return it in dollars or tokens."""
        return self.usd if unit is Unit.USD else float(self.tokens)

    def unknown(self, unit: Unit) -> int:
        """Return how many calls are not in it."""
        return self.unpriced if unit is Unit.USD else self.unmetered


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One budget of one subject in the period that holds `as_of`."""

    budget: Budget
    scope: Scope  # of the budget, with the subject itself where the budget is EACH's
    begin: datetime
    end: datetime
    as_of: datetime
    spent: float
    unknown_calls: int  # calls without a price (dollars) or without tokens: they are not in `spent`
    forecast: Forecast | None = None

    @property
    def remaining(self) -> float:
        """What may still be spent; never below 0."""
        return max(self.budget.limit - self.spent, 0.0)

    @property
    def used(self) -> float:
        """Share of the limit that was spent; above 1 when more was."""
        return self.spent / self.budget.limit


_Spent = tuple[float, int, int, int]
"""An Amount that is kept. The garbage collector leaves tuples of numbers alone; a million objects would hold up answers while it looks."""


class Ledger:
    """What was spent, by scope and day. A day is replaced as a whole."""

    def __init__(self) -> None:
        self._spent: dict[Scope, dict[date, _Spent]] = {}

    def replace(self, day: date, cells: Iterable[Cell]) -> None:
        """Take over what was counted of a day."""
        found: dict[Scope, Amount] = {}
        for cell in cells:
            for scope in _scopes(cell):
                amount = found.get(scope)
                if amount is None:
                    amount = found[scope] = Amount()
                amount.add(cell)
        for days in self._spent.values():
            days.pop(day, None)
        for scope, amount in found.items():
            self._spent.setdefault(scope, {})[day] = (amount.usd, amount.tokens, amount.unpriced, amount.unmetered)

    def forget(self, before: date) -> None:
        """Drop older days."""
        kept = {scope: {day: spent for day, spent in days.items() if day >= before} for scope, days in self._spent.items()}
        self._spent = {scope: days for scope, days in kept.items() if days}

    def between(self, scope: Scope, begin: date, end: date) -> Amount:
        """Return what a scope spent from `begin` up to, not including, `end`."""
        whole = Amount()
        for day, spent in sorted(self._spent.get(scope, {}).items()):
            if begin <= day < end:
                whole.add(Amount(*spent))
        return whole

    def scopes(self, kind: Kind, tenant: str, begin: date, end: date) -> list[Scope]:
        """Return who spent anything in that time, by name."""
        known = ((scope, days) for scope, days in self._spent.items() if scope.kind is kind and scope.tenant == tenant)
        return sorted(scope for scope, days in known if any(begin <= day < end for day in days))

    def by_day(self, scope: Scope, unit: Unit) -> dict[date, float]:
        """Return what a scope spent on each day."""
        return {day: Amount(*spent).of(unit) for day, spent in self._spent.get(scope, {}).items()}


def standings(budgets: Sequence[Budget], ledger: Ledger, *, as_of: datetime) -> Iterator[Standing]:
    """Yield how each budget stands; one of EACH for every subject that spent something and has no such budget of its own."""
    own = {budget.identity for budget in budgets}
    today = as_of.date()
    for budget in budgets:
        if budget.scope.subject != EACH:
            yield standing(budget, budget.scope, ledger, as_of=as_of)
            continue
        begin, end = budget.period.begin(today), budget.period.end(today)
        for scope in ledger.scopes(budget.scope.kind, budget.scope.tenant, begin, end):
            if (scope, budget.period, budget.unit) not in own:
                yield standing(budget, scope, ledger, as_of=as_of)


def standing(budget: Budget, scope: Scope, ledger: Ledger, *, as_of: datetime) -> Standing:
    """Return how a budget of one subject stands."""
    today = as_of.date()
    begin, end = budget.period.begin(today), budget.period.end(today)
    amount = ledger.between(scope, begin, end)
    expected = forecast(ledger.by_day(scope, budget.unit), budget.period, as_of=as_of) if budget.forecast else None
    return Standing(
        budget=budget,
        scope=scope,
        begin=midnight(begin),
        end=midnight(end),
        as_of=as_of,
        spent=round(amount.of(budget.unit), DIGITS),
        unknown_calls=amount.unknown(budget.unit),
        forecast=expected,
    )


def renewed(standing: Standing, *, at: datetime) -> Standing:
    """Return a standing as it is at `at`, which may be long after it was counted: of a period that began since, nothing is known yet."""
    if at < standing.end:
        return standing
    period, today = standing.budget.period, at.date()
    begin, end = midnight(period.begin(today)), midnight(period.end(today))
    return replace(standing, begin=begin, end=end, spent=0.0, unknown_calls=0, forecast=None)


def by_scope(found: Iterable[Standing]) -> Mapping[Scope, Sequence[Standing]]:
    """Return standings by whose they are."""
    grouped: dict[Scope, list[Standing]] = {}
    for each in found:
        grouped.setdefault(each.scope, []).append(each)
    return grouped


def _scopes(cell: Cell) -> Iterator[Scope]:
    """Yield all scopes that a cell counts in."""
    if cell.tenant != NOBODY:
        yield Scope(kind=Kind.TENANT, subject=cell.tenant)
    for kind, subject in ((Kind.AGENT, cell.agent), (Kind.USER, cell.user)):
        if subject != NOBODY:
            yield Scope(kind=kind, subject=subject)
            if cell.tenant != NOBODY:
                yield Scope(kind=kind, subject=subject, tenant=cell.tenant)
