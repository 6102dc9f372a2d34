"""Acknowledgements: somebody takes care of an alert that fires, so that it is not told again and again until it resolves.

An acknowledgement is of one alert since it fires: when it resolves and fires anew, it is told like any other. Changes of its group are told
all the same; what stops are repeats of groups whose firing alerts are all acknowledged. Receivers that know acknowledgements are told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from alerts.errors import AlertsError
from alerts.evaluate import Alert, State
from alerts.state import AlertStore
from alerts.tables import ACKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Who takes care of an alert, and why it needs no more reminders. Times are aware UTC."""

    fingerprint: str
    fired_at: datetime
    alertname: str
    created_by: str
    comment: str
    created_at: datetime
    ended_at: datetime | None = None
    told_at: datetime | None = None

    def holds_for(self, alert: Alert | None) -> bool:
        """Say whether it is of this alert, and the alert still fires."""
        if self.ended_at is not None or alert is None or alert.state is not State.FIRING:
            return False
        return (alert.fingerprint, alert.fired_at) == (self.fingerprint, self.fired_at)


def firing_alert(store: AlertStore, alertname: str, fingerprint: str = "") -> Alert:
    """Return the one firing alert of this name whose fingerprint begins like this; raises AlertsError unless it is one."""
    alerts = [alert for found in store.alerts().values() for alert in found.values() if alert.state is State.FIRING]
    named = [alert for alert in alerts if alert.labels.get("alertname") == alertname]
    found = {alert.fingerprint: alert for alert in named if alert.fingerprint.startswith(fingerprint)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        known = ", ".join(sorted(found)[:10])
        raise AlertsError("acknowledge the alert", alertname, hint=f"{len(found)} of it fire: name one by the beginning of {known}")
    names = ", ".join(sorted({alert.labels.get("alertname", "") for alert in alerts})[:10])
    hint = f"none of it fires like this: {names} fire" if names else "no alert fires"
    raise AlertsError("acknowledge the alert", alertname, hint=f"{hint}; auditlake alerts list shows what does")


class Acks:
    """The acknowledgements of one data directory."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    def add(self, alert: Alert, *, created_by: str, comment: str, now: datetime) -> Ack:
        """Acknowledge a firing alert; who did so last counts. Raises AlertsError when it does not fire."""
        if alert.fired_at is None or alert.state is not State.FIRING:
            raise AlertsError("acknowledge the alert", alert.labels["alertname"], hint="it does not fire")
        ack = Ack(
            fingerprint=alert.fingerprint,
            fired_at=alert.fired_at,
            alertname=alert.labels["alertname"],
            created_by=created_by,
            comment=comment,
            created_at=now,
        )
        values = {name: getattr(ack, name) for name in Ack.__dataclass_fields__}
        with self._store.begin() as connection:
            connection.execute(insert(ACKS).values(**values).on_conflict_do_update(index_elements=["fingerprint", "fired_at"], set_=values))
        return ack

    def end(self, alert: Alert, now: datetime) -> bool:
        """Take the acknowledgement of a firing alert back; returns whether there was one."""
        same = (ACKS.c.fingerprint == alert.fingerprint, ACKS.c.fired_at == alert.fired_at, ACKS.c.ended_at.is_(None))
        with self._store.begin() as connection:
            return connection.execute(update(ACKS).where(*same).values(ended_at=now)).rowcount > 0

    def holds(self, alert: Alert) -> bool:
        """Say whether somebody takes care of this alert."""
        return any(ack.holds_for(alert) for ack in self.open())

    def open(self) -> list[Ack]:
        """Return the acknowledgements that have not ended."""
        with self._store.begin() as connection:
            return open_acks(connection)

    def prune(self, before: datetime) -> None:
        """Forget acknowledgements that ended before."""
        with self._store.begin() as connection:
            connection.execute(delete(ACKS).where(ACKS.c.ended_at < before))


def open_acks(connection: Connection) -> list[Ack]:
    """Return the acknowledgements that have not ended."""
    rows = connection.execute(select(ACKS).where(ACKS.c.ended_at.is_(None)).order_by(ACKS.c.created_at)).mappings().all()
    return [_ack(row) for row in rows]


def store_acks(connection: Connection, *, ended: Iterable[Ack], told: Iterable[Ack], now: datetime) -> None:
    """Write which acknowledgements ended with their alerts, and of which receivers were told."""
    for acks, column in ((ended, "ended_at"), (told, "told_at")):
        for ack in acks:
            same = (ACKS.c.fingerprint == ack.fingerprint, ACKS.c.fired_at == ack.fired_at)
            connection.execute(update(ACKS).where(*same).values({column: now}))


def acknowledged(acks: Iterable[Ack], alerts: Mapping[str, Alert]) -> frozenset[str]:
    """Return the fingerprints of the alerts (by fingerprint) of which somebody takes care."""
    return frozenset(ack.fingerprint for ack in acks if ack.holds_for(alerts.get(ack.fingerprint)))


def _ack(row: RowMapping) -> Ack:
    return Ack(**{name: row[name] for name in Ack.__dataclass_fields__})
