"""What a budget is: whose, in which period, how much of what. Periods are whole in UTC: days, weeks from Monday on, calendar months."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

ALL_TENANTS: Final = ""
"""The tenant of a budget that counts spending in every tenant."""
EACH: Final = "*"
"""The subject of a budget that each user, agent or tenant without one of its own has."""
RUNGS: Final = (0.5, 0.8, 1.0)
MOST_SUBJECT_CHARS: Final = 256


class Kind(StrEnum):
    """Whose spending is limited."""

    USER = "user"
    AGENT = "agent"
    TENANT = "tenant"


class Unit(StrEnum):
    """What is limited: US dollars, or tokens (input and output)."""

    USD = "usd"
    TOKENS = "tokens"


class Period(StrEnum):
    """How long a limit lasts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def begin(self, day: date) -> date:
        """Return the first day of the period that holds `day`."""
        if self is Period.DAY:
            return day
        return day - timedelta(days=day.weekday()) if self is Period.WEEK else day.replace(day=1)

    def end(self, day: date) -> date:
        """Return the first day of the period after the one that holds `day`."""
        first = self.begin(day)
        if self is Period.MONTH:
            return (first + timedelta(days=31)).replace(day=1)
        return first + timedelta(days=1 if self is Period.DAY else 7)


class Scope(NamedTuple):
    """Whose spending: `subject` is a name as rows hold it, or EACH; `tenant` narrows a user's or agent's to that in one tenant."""

    kind: Kind
    subject: str
    tenant: str = ALL_TENANTS

    def __str__(self) -> str:
        """`agent:support`."""
        return f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One limit."""

    scope: Scope
    period: Period
    unit: Unit
    limit: float
    rungs: tuple[float, ...] = RUNGS  # shares of the limit that are told, once each a period
    forecast: bool = True  # whether it is told that spending is on the way beyond the limit
    source: str = "command"  # or the name of a file
    set_by: str = ""  # who set it by command
    set_at: datetime | None = None

    @property
    def identity(self) -> tuple[Scope, Period, Unit]:
        """What two budgets of one source cannot both have."""
        return self.scope, self.period, self.unit

    @property
    def text(self) -> str:
        """`$100 a month`, `5,000,000 tokens a day`."""
        return f"{amount_text(self.limit, self.unit)} a {self.period}"


def amount_text(amount: float, unit: Unit) -> str:
    """Return an amount for people: `$12.34`, `5,000,000 tokens`."""
    if unit is Unit.TOKENS:
        return f"{amount:,.0f} tokens"
    return f"${amount:,.0f}" if amount == round(amount) and amount >= 1 else f"${amount:,.2f}"


def scope_of(text: str, tenant: str = ALL_TENANTS) -> Scope:
    """Return the scope that `user:…`, `agent:…` or `tenant:…` means; raises ValueError that says what is wrong with it."""
    word, colon, subject = text.partition(":")
    if not colon or word not in list(Kind):
        raise ValueError("write user:NAME, agent:NAME or tenant:NAME")
    if not subject.strip() or len(subject) > MOST_SUBJECT_CHARS:
        raise ValueError(f"the name behind {word}: has 1 to {MOST_SUBJECT_CHARS} characters")
    kind = Kind(word)
    return Scope(kind=kind, subject=subject.strip(), tenant=ALL_TENANTS if kind is Kind.TENANT else tenant)


def checked_limit(limit: float) -> float:
    """Return a limit that can be one; raises ValueError."""
    if not math.isfinite(limit) or limit <= 0:
        raise ValueError("a limit is a number above 0")
    return limit


def checked_rungs(rungs: tuple[float, ...]) -> tuple[float, ...]:
    """Return shares of a limit, in order; raises ValueError."""
    if not rungs or not all(math.isfinite(rung) and 0 < rung <= 1 for rung in rungs) or len(set(rungs)) < len(rungs):
        raise ValueError("rungs are different shares of the limit above 0 and up to 1, such as [0.5, 0.8, 1]")
    return tuple(sorted(rungs))


def midnight(day: date) -> datetime:
    """Return the beginning of a day, aware UTC."""
    return datetime.combine(day, time(), UTC)


def in_force(budgets: Sequence[Budget]) -> list[Budget]:
    """Return the budgets that count: what a command set goes before a file's budget of the same scope, period and unit."""
    by_identity: dict[tuple[Scope, Period, Unit], Budget] = {}
    for budget in sorted(budgets, key=lambda each: each.source == "command"):
        by_identity[budget.identity] = budget
    return [by_identity[key] for key in sorted(by_identity)]
