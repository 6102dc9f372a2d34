"""The alert BudgetBurn: an ordinary rule, whose rows are the rungs that budgets have reached.

A rung below the last is a row for an hour, so that it is told and ends by itself; it comes back in the next period. The whole limit is a
row until the period ends or the limit is raised.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.budgets.model import Kind
from alerts.budgets.rungs import FORECAST, Reached, highest
from alerts.budgets.standing import Standing
from alerts.rules import LoadedGroup, LoadedRule, Rule

ALERT: Final = "BudgetBurn"
GROUP: Final = "budgets"
TOLD_FOR: Final = timedelta(hours=1)
_RULE: Final = Rule.model_validate({
    "alert": ALERT,
    "expr": "the rungs that budgets have reached",
    "annotations": {
        "summary": (
            "{{ labels.scope }} {% if labels.rung == 'forecast' %}is on the way to {{ value | percentage }}"
            "{% else %}has used {{ value | percentage }}{% endif %} of its budget of {{ labels.budget }}"
        ),
        "description": "Who asks before spending is refused at 100 %. Raise the limit, or find out what spends so much.",
        "runbook": "docs/runbooks/budget-burn.md",
    },
})  # fmt: skip

Standings = Callable[[], Iterable[tuple[Standing, Mapping[str, Reached]]]]
"""Returns how budgets stand now, each with the rungs that it has reached in its period."""


@dataclass(frozen=True, slots=True)
class BurnSource:
    """Answers for the rule in the place of an expression."""

    standings: Standings
    forgets: Callable[[], None]

    def rows(
        self, lake: Any, *, eval_ts: datetime, clean: Callable[[Sequence[tuple[str, str | None]]], list[str]], timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Return a row for each rung that is to be told at `eval_ts`; raises NotYet before everything was counted."""
        del lake, clean, timeout_seconds
        return [row for standing, reached in self.standings() for row in burn_rows(standing, reached, at=eval_ts)]

    def forget(self) -> None:
        """Answer from what is counted from now on."""
        self.forgets()


def burn_group(standings: Standings, forgets: Callable[[], None] = lambda: None) -> LoadedGroup:
    """Return the group of the one rule, at the scheduler's interval."""
    rule = LoadedRule(
        key=f"budgets;{GROUP};{ALERT}",
        group=GROUP,
        rule=_RULE,
        labels={},
        parameters={},
        lookback=None,
        limit=0,
        source=BurnSource(standings, forgets),
    )
    return LoadedGroup(key=f"budgets;{GROUP}", file="budgets", name=GROUP, interval=None, query_offset=timedelta(), rules=(rule,))


def burn_rows(standing: Standing, reached: Mapping[str, Reached], *, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the rows of one budget at `at`: of the highest rung that it has reached, and of its forecast."""
    if not standing.begin <= at < standing.end:
        return
    known = [each for each in reached.values() if each.at <= at]
    rung = highest(known)
    if rung is not None and standing.remaining <= 0 and float(rung.rung) == max(standing.budget.rungs):
        yield _row(standing, rung.rung, "critical", standing.used)
    elif rung is not None and at - rung.at < TOLD_FOR:
        yield _row(standing, rung.rung, "critical" if float(rung.rung) >= 1 else "warning", standing.used)
    expected = next((each for each in known if each.rung == FORECAST), None)
    if expected is None or at - expected.at >= TOLD_FOR or standing.forecast is None or standing.remaining <= 0:
        return
    if standing.forecast.amount > standing.budget.limit:
        yield _row(standing, FORECAST, "warning", standing.forecast.amount / standing.budget.limit)


def _row(standing: Standing, rung: str, severity: str, value: float) -> dict[str, Any]:
    scope = standing.scope
    return {
        "scope": str(scope),
        "tenant": scope.subject if scope.kind is Kind.TENANT else scope.tenant or None,
        "agent_name": scope.subject if scope.kind is Kind.AGENT else None,
        "period": f"{standing.budget.period} from {standing.begin:%Y-%m-%d}",
        "budget": standing.budget.text,
        "rung": rung if rung == FORECAST else f"{100 * float(rung):g}%",
        "severity": severity,
        "value": value,
    }
