"""The tables of budgets in `<data>/alerts.sqlite`. Days are UTC, `YYYY-MM-DD`; a tenant, agent or user that nobody said is empty."""

from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Index, Integer, Table, Text

from alerts.tables import METADATA, Time


def _whose() -> list[Column[Any]]:
    """Return the columns that say whose budget it is, and of what: part of the key of each table that has them."""
    names = (
        "kind",  # user agent tenant
        "subject",  # as rows name it, pseudonymised where they are; *: each
        "tenant",  # empty: in all tenants
        "period",  # day week month
        "unit",  # usd tokens
    )
    return [Column(name, Text, primary_key=True) for name in names]


BUDGETS: Final = Table(
    "budgets",
    METADATA,
    *_whose(),
    Column("source", Text, primary_key=True),  # command, or the name of a file
    Column("limit", Float, nullable=False),
    Column("rungs", Text, nullable=False),  # JSON
    Column("forecast", Boolean, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Time),
)

SPENDING: Final = Table(  # what the views say was spent on a day, by counted calls
    "budget_spending",
    METADATA,
    Column("day", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("agent", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("usd", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("unpriced", Integer, nullable=False),  # of them those whose price is not known
    Column("unmetered", Integer, nullable=False),  # of them those whose tokens are not known
)

DAYS: Final = Table(  # what was in the lake of a day when it was counted: when that changes, it is counted again
    "budget_days",
    METADATA,
    Column("day", Text, primary_key=True),
    Column("mark", Text, nullable=False),
)

COUNTED: Final = Table(  # one row: up to when everything that was acknowledged is in the spending
    "budget_counted",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("as_of", Time, nullable=False),
    Column("joined", Integer, nullable=False),  # the newest change of the catalog's map of traces to runs that was followed
)

REACHED: Final = Table(  # rungs that were reached, once each a period
    "budget_rungs",
    METADATA,
    *_whose(),
    Column("begin", Text, primary_key=True),  # first day of the period
    Column("rung", Text, primary_key=True),  # a share such as 0.8, or forecast
    Column("limit", Float, nullable=False),
    Column("reached_at", Time, nullable=False),
    Index("budget_rungs_begin", "begin"),
)
