"""Budget files: `budgets: [{agent | user | tenant, period, usd, tokens, rungs, forecast}]`.

A user's or an agent's budget with a `tenant` counts what they spend in that tenant alone; the name `"*"` means each. A user may be named as
people name him: what is kept is the name under which the policy lets rows have him.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from alerts.budgets.model import ALL_TENANTS, EACH, RUNGS, Budget, Kind, Period, Scope, Unit, checked_limit, checked_rungs, scope_of
from alerts.documents import Document, read_document
from alerts.errors import Problem, RuleFileError
from alerts.sections import Section, Text, explain, read_text

StoredName = Callable[[str], str]
"""Returns what the redaction policy leaves of a user's name: what rows hold."""

Limit = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class BudgetSection(Section):
    """One budget."""

    user: Text | None = None  # whose spending; a user's name or pseudonym, "*": each user
    agent: Text | None = None  # or the agent that makes the calls; "*": each agent
    tenant: Text | None = None  # or a tenant's, "*": each; beside user or agent: only what they spend in that tenant
    period: Period = Period.MONTH  # day, week (from Monday on) or month; UTC
    usd: Limit | None = None  # limit in US dollars
    tokens: Limit | None = None  # limit in tokens, input and output; both limits may stand
    rungs: tuple[float, ...] = RUNGS  # shares of the limit that are told once a period
    forecast: bool = True  # also tell when spending is on the way beyond the limit

    @field_validator("rungs")
    @classmethod
    def _rungs(cls, rungs: tuple[float, ...]) -> tuple[float, ...]:
        return checked_rungs(rungs)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.user is not None and self.agent is not None:
            raise ValueError("name a user or an agent, not both")
        if self.user is None and self.agent is None and self.tenant is None:
            raise ValueError("whose budget? name a user, an agent or a tenant")
        if self.usd is None and self.tokens is None:
            raise ValueError("has no limit: give usd or tokens")
        if self.tenant == EACH and (self.user is not None or self.agent is not None):
            raise ValueError('beside a user or an agent the tenant is one tenant, not "*": leave it out to count in all tenants')
        scope_of(f"{self.kind}:{self.subject}")
        return self

    @property
    def kind(self) -> Kind:
        """Whose spending is limited."""
        return Kind.USER if self.user is not None else Kind.AGENT if self.agent is not None else Kind.TENANT

    @property
    def subject(self) -> str:
        """Their name, as it stands in the file."""
        return (self.user or self.agent or self.tenant or "").strip()


class BudgetFile(Section):
    """One file."""

    budgets: tuple[BudgetSection, ...] = ()


class BudgetFileError(RuleFileError):
    """Budget files are refused; `problems` lists everything that is wrong with them."""

    def __str__(self) -> str:
        count = len(self.problems)
        return "\n".join([f"{count} problem{'s' if count != 1 else ''} in budget files", *(f"  {problem}" for problem in self.problems)])


def load_budgets(paths: Sequence[Path], *, stored_name: StoredName) -> list[Budget]:
    """Return the budgets of files; raises BudgetFileError with every problem of all of them, each with file, line and key path."""
    found: list[tuple[Budget, Problem]] = []
    problems: list[Problem] = []
    for path in paths:
        document, sections, wrong = _read(path)
        problems += wrong
        for number, section in enumerate(sections):
            twice = document.problem(("budgets", number), "stands twice: there is a budget of the same name, tenant, period and unit")
            found += [(budget, twice) for budget in _budgets(section, path.name, stored_name)]
    seen = set()
    for budget, twice in found:
        if budget.identity in seen:
            problems.append(twice)
        seen.add(budget.identity)
    if problems:
        raise BudgetFileError(problems)
    return [budget for budget, _ in found]


def _read(path: Path) -> tuple[Document, Sequence[BudgetSection], Sequence[Problem]]:
    text, problems = read_text(path)
    document, wrong = read_document(text, str(path))
    if problems or wrong:
        return document, (), problems or wrong
    try:
        values: Any = document.values if document.values is not None else {}
        return document, BudgetFile.model_validate(values).budgets, ()
    except ValidationError as error:
        return document, (), [explain(document, dict(item), BudgetFile) for item in error.errors(include_url=False, include_input=False)]


def _budgets(section: BudgetSection, file: str, stored_name: StoredName) -> Iterator[Budget]:
    subject = section.subject if section.kind is not Kind.USER or section.subject == EACH else stored_name(section.subject)
    tenant = ALL_TENANTS if section.kind is Kind.TENANT else (section.tenant or ALL_TENANTS)
    scope = Scope(kind=section.kind, subject=subject, tenant=tenant)
    for unit, limit in ((Unit.USD, section.usd), (Unit.TOKENS, section.tokens)):
        if limit is not None:
            yield Budget(
                scope=scope,
                period=section.period,
                unit=unit,
                limit=checked_limit(limit),
                rungs=section.rungs,
                forecast=section.forecast,
                source=file,
            )
