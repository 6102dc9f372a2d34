"""Budgets in `<data>/alerts.sqlite`: which there are, what was counted of each day, and which rungs were reached.

The alert process counts, commands set and read; a day is replaced in one transaction, so that a reader sees all of it or none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, cast

from sqlalchemy import RowMapping, delete, inspect, select
from sqlalchemy.dialects.sqlite import Insert, insert

from alerts.budgets.model import Budget, Kind, Period, Scope, Unit
from alerts.budgets.rungs import Reached
from alerts.budgets.standing import Cell, Standing
from alerts.budgets.tables import BUDGETS, COUNTED, DAYS, REACHED, SPENDING
from alerts.state import AlertStore

COMMAND: Final = "command"
_IDENTITY: Final = ("kind", "subject", "tenant", "period", "unit")

RungKey = tuple[Scope, Period, Unit, date]
"""Whose budget, of what, and the first day of the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Up to when everything that was acknowledged is in the spending, and what was followed of the catalog's map of traces."""

    as_of: datetime
    joined: int


class BudgetStore(AlertStore):
    """The state of the alerts with what it knows of budgets; `open` as `AlertStore.open`."""

    def is_empty(self) -> bool:
        """Whether this file is from before there were budgets."""
        return not inspect(self._engine).has_table(BUDGETS.name)

    # which there are

    def budgets(self) -> list[Budget]:
        """Return all budgets, those that another one goes before among them (`model.in_force`)."""
        order = [BUDGETS.c[name] for name in (*_IDENTITY, "source")]
        with self._engine.connect() as connection:
            return [_budget(row) for row in connection.execute(select(BUDGETS).order_by(*order)).mappings()]

    def set(self, budget: Budget) -> None:
        """Set a budget by command; one of the same scope, period and unit that was set before is replaced."""
        upsert = insert(BUDGETS).values(_row(budget))
        columns = {column.name: upsert.excluded[column.name] for column in BUDGETS.c if not column.primary_key}
        key = [column.name for column in BUDGETS.primary_key]
        with self._engine.begin() as connection:
            connection.execute(upsert.on_conflict_do_update(index_elements=key, set_=columns))

    def remove(self, scope: Scope, period: Period, unit: Unit) -> bool:
        """Remove a budget that was set by command; False when there is none."""
        values = {**_scope(scope), "period": str(period), "unit": str(unit), "source": COMMAND}
        with self._engine.begin() as connection:
            found = connection.execute(delete(BUDGETS).where(*(BUDGETS.c[name] == value for name, value in values.items())))
            return found.rowcount > 0

    def replace_files(self, budgets: Sequence[Budget]) -> None:
        """Take over the budgets of the files; those that stand in no file any more are gone."""
        with self._engine.begin() as connection:
            connection.execute(delete(BUDGETS).where(BUDGETS.c.source != COMMAND))
            if budgets:
                connection.execute(insert(BUDGETS), [_row(budget) for budget in budgets])

    # what was counted

    def marks(self) -> dict[str, str]:
        """Return day → what was in the lake of it when it was counted."""
        with self._engine.connect() as connection:
            return {row.day: row.mark for row in connection.execute(select(DAYS))}

    def spending(self) -> dict[str, list[Cell]]:
        """Return what was counted, by day."""
        names = list(Cell.__dataclass_fields__)
        found: dict[str, list[Cell]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(select(SPENDING).order_by(SPENDING.c.day)).mappings():
                found.setdefault(row["day"], []).append(Cell(**{name: row[name] for name in names}))
        return found

    def counted(self) -> Counted | None:
        """Return how far the spending was counted; None before it was for the first time."""
        with self._engine.connect() as connection:
            row = connection.execute(select(COUNTED)).mappings().first()
        return None if row is None else Counted(as_of=row["as_of"], joined=row["joined"])

    def store_day(self, day: str, mark: str, cells: Sequence[Cell]) -> None:
        """Replace what was counted of a day. Raises Outdated."""
        with self.remembered() as connection:
            connection.execute(delete(SPENDING).where(SPENDING.c.day == day))
            if cells:
                rows = [{"day": day, **{name: getattr(cell, name) for name in Cell.__dataclass_fields__}} for cell in cells]
                connection.execute(insert(SPENDING), rows)
            connection.execute(_marked(day, mark))

    def store_mark(self, day: str, mark: str) -> None:
        """Remember what is in the lake of a day that is not counted again."""
        with self._engine.begin() as connection:
            connection.execute(_marked(day, mark))

    def store_counted(self, counted: Counted) -> None:
        """Remember how far the spending was counted."""
        values = {"as_of": counted.as_of, "joined": counted.joined}
        with self._engine.begin() as connection:
            connection.execute(insert(COUNTED).values(id=1, **values).on_conflict_do_update(index_elements=["id"], set_=values))

    # rungs

    def reached(self) -> dict[RungKey, dict[str, Reached]]:
        """Return the rungs that were reached, by whose budget and period."""
        found: dict[RungKey, dict[str, Reached]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(select(REACHED)).mappings():
                key = (_scope_of(row), Period(row["period"]), Unit(row["unit"]), date.fromisoformat(row["begin"]))
                found.setdefault(key, {})[row["rung"]] = Reached(rung=row["rung"], limit=row["limit"], at=row["reached_at"])
        return found

    def store_reached(self, changed: Mapping[RungKey, Mapping[str, Reached]]) -> None:
        """Replace what was reached of these budgets and periods. Raises Outdated."""
        with self.remembered() as connection:
            for (scope, period, unit, begin), rungs in changed.items():
                key = {**_scope(scope), "period": str(period), "unit": str(unit), "begin": begin.isoformat()}
                connection.execute(delete(REACHED).where(*(REACHED.c[name] == value for name, value in key.items())))
                rows = [{**key, "rung": each.rung, "limit": each.limit, "reached_at": each.at} for each in rungs.values()]
                if rows:
                    connection.execute(insert(REACHED), rows)

    def forget_days(self, before: str) -> None:
        """Forget what was counted of older days, and the rungs of periods that began before."""
        with self._engine.begin() as connection:
            for column in (SPENDING.c.day, DAYS.c.day, REACHED.c.begin):
                connection.execute(delete(column.table).where(column < before))


def rung_key(standing: Standing) -> RungKey:
    """Return under what the rungs of a standing are remembered."""
    return standing.scope, standing.budget.period, standing.budget.unit, standing.begin.date()


def _marked(day: str, mark: str) -> Insert:
    return insert(DAYS).values(day=day, mark=mark).on_conflict_do_update(index_elements=["day"], set_={"mark": mark})


def _scope(scope: Scope) -> dict[str, str]:
    return {"kind": str(scope.kind), "subject": scope.subject, "tenant": scope.tenant}


def _scope_of(row: RowMapping) -> Scope:
    return Scope(kind=Kind(row["kind"]), subject=row["subject"], tenant=row["tenant"])


def _row(budget: Budget) -> dict[str, Any]:
    told = {name: getattr(budget, name) for name in ("limit", "forecast", "source", "set_by", "set_at")}
    names = {"period": str(budget.period), "unit": str(budget.unit), "rungs": json.dumps(budget.rungs)}
    return {**_scope(budget.scope), **names, **told}


def _budget(row: RowMapping) -> Budget:
    told = {name: row[name] for name in ("limit", "forecast", "source", "set_by", "set_at")}
    rungs = tuple(cast("list[float]", json.loads(row["rungs"])))
    return Budget(scope=_scope_of(row), period=Period(row["period"]), unit=Unit(row["unit"]), rungs=rungs, **told)
