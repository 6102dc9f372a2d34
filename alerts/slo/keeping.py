"""Where counts outlive the process: rows of `alerts.sqlite`.

Records that expire stay counted; an erasure takes the hours along that name whom it is about.
"""

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Engine, delete, inspect, select
from sqlalchemy.dialects.sqlite import insert

from alerts.slo.counts import Hour
from alerts.slo.tables import HOURS
from alerts.state import AlertStore


class Kept(Protocol):
    """Keeps the hours of SLOs."""

    def load(self, slo: str) -> dict[int, Hour]:
        """Return what is kept of an SLO, by its identity."""

    def save(self, slo: str, hours: Mapping[int, Hour], *, before: int) -> None:
        """Keep these hours, and nothing of the SLO from before the hour `before`."""


class Forgotten:
    """Keeps nothing: for evaluations of the past, and where there is no alert process."""

    def load(self, slo: str) -> dict[int, Hour]:
        """Return nothing."""
        del slo
        return {}

    def save(self, slo: str, hours: Mapping[int, Hour], *, before: int) -> None:
        """Do nothing."""
        del slo, hours, before


class KeptHours:
    """The table `slo_hours`. Until it is connected it keeps nothing: files are checked before the state is opened."""

    def __init__(self, engine: Engine | None = None) -> None:
        """An `engine` is only read, and may know no such table."""
        self._engine = engine
        self._store: AlertStore | None = None

    def connect(self, store: AlertStore) -> None:
        """Read from and write to this state from now on. Raises DatabaseError."""
        HOURS.create(store.engine, checkfirst=True)
        self._engine, self._store = store.engine, store

    def load(self, slo: str) -> dict[int, Hour]:
        """Return what is kept of an SLO, by its identity. Raises DatabaseError."""
        if self._engine is None or not (self._store is not None or inspect(self._engine).has_table(HOURS.name)):
            return {}
        with self._engine.connect() as connection:
            rows = connection.execute(select(HOURS).where(HOURS.c.slo == slo)).mappings().all()
        return {row["hour"]: Hour.from_text(row["counts"], counted_at=row["counted_at"], through=row["through"]) for row in rows}

    def save(self, slo: str, hours: Mapping[int, Hour], *, before: int) -> None:
        """Keep these hours, and nothing of the SLO from before the hour `before`. Raises DatabaseError and Outdated."""
        if self._store is None:
            return
        rows = [
            {"slo": slo, "hour": number, "counted_at": hour.counted_at, "through": hour.through, "counts": hour.as_text()}
            for number, hour in hours.items()
        ]
        with self._store.remembered() as connection:
            if rows:
                statement = insert(HOURS)
                told = {name: statement.excluded[name] for name in ("counted_at", "through", "counts")}
                connection.execute(statement.on_conflict_do_update(index_elements=["slo", "hour"], set_=told), rows)
            connection.execute(delete(HOURS).where(HOURS.c.slo == slo, HOURS.c.hour < before))
