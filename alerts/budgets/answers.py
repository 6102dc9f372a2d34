"""What whoever asks before spending is told: whether there is enough left, of which budget, until when, and as of when that is known.

Everything is looked up in memory: an answer takes microseconds, whatever the lake does. It is no reservation: what is spent since
`as_of` is not in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts.budgets.model import EACH, Budget, Scope, Unit
from alerts.budgets.standing import DIGITS, Ledger, Standing, by_scope, standing, standings
from alerts.tables import rfc3339

UNKNOWN: Final = "*"
"""The name of a subject that has spent nothing: it is not told back, as it may be an original."""

Names = Callable[[str], Sequence[str]]
"""Returns the names under which rows can hold a user: what was given, and what the policy may have made of it."""

_NOTHING: Final = Ledger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much somebody is about to spend; 0 when they only ask whether anything is left."""

    usd: float = 0.0
    tokens: float = 0.0

    def of(self, unit: Unit) -> float:
        """Return it in one unit."""
        return self.usd if unit is Unit.USD else self.tokens


class Answers:
    """How all budgets stand at one moment. Never changes."""

    def __init__(self, budgets: Sequence[Budget], ledger: Ledger, *, as_of: datetime) -> None:
        self.as_of = as_of
        self.standings = tuple(standings(budgets, ledger, as_of=as_of))
        self._by_scope = by_scope(self.standings)
        self._of_each: dict[Scope, list[Budget]] = {}
        for budget in budgets:
            if budget.scope.subject == EACH:
                self._of_each.setdefault(budget.scope, []).append(budget)

    def of(self, scope: Scope, names: Sequence[str]) -> Sequence[Standing]:
        """Return the budgets of a scope, whose subject may be known under any of `names`; empty when it has none."""
        known = next((found for name in names if (found := self._by_scope.get(scope._replace(subject=name)))), ())
        covered = {(each.budget.period, each.budget.unit) for each in known}
        subject = known[0].scope if known else scope._replace(subject=UNKNOWN)
        rest = [each for each in self._of_each.get(scope._replace(subject=EACH), ()) if (each.period, each.unit) not in covered]
        return [*known, *(standing(budget, subject, _NOTHING, as_of=self.as_of) for budget in rest)]


def answer(found: Sequence[Standing], wanted: Wanted) -> dict[str, Any]:
    """Return the answer about budgets of one scope, at least one; the one that leaves least is told first, all of them in `budgets`."""
    first = min(found, key=lambda each: (each.remaining - wanted.of(each.budget.unit)) / each.budget.limit)
    allowed = all(_allows(each, wanted) for each in found)
    decision = {"allowed": allowed, "decision": "allowed" if allowed else "denied"}
    asked = {"usd": wanted.usd, "tokens": wanted.tokens}
    whose = {"scope": str(first.scope), "tenant": first.scope.tenant or None}
    return {**whose, **decision, **told(first), "wanted": asked, "budgets": [told(each) for each in found]}


def _allows(standing: Standing, wanted: Wanted) -> bool:
    """Whether something is left, and enough of it."""
    return standing.remaining > 0 and round(standing.remaining - wanted.of(standing.budget.unit), DIGITS) >= 0


def told(standing: Standing) -> dict[str, Any]:
    """Return how one budget stands, in numbers and times."""
    expected = standing.forecast
    return {
        "unit": str(standing.budget.unit),
        "limit": standing.budget.limit,
        "spent": standing.spent,
        "remaining": round(standing.remaining, DIGITS),
        "used": round(standing.used, 6),
        "period": str(standing.budget.period),
        "period_start": rfc3339(standing.begin),
        "period_end": rfc3339(standing.end),
        "as_of": rfc3339(standing.as_of),
        "unknown_calls": standing.unknown_calls,
        "forecast": None if expected is None else round(expected.amount, DIGITS),
        "forecast_method": None if expected is None else expected.method,
    }
