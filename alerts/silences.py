"""Silences: for a time, alerts with certain labels are not told; Alertmanager's own rules (`silence/silence.go`).

A silence begins and ends; it is expired before its time, never deleted, and forgotten `RETENTION` after its end. Commands write silences,
the alert process reads them whenever a group is due.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import uuid4

from sqlalchemy import RowMapping, delete, insert, select, update

from alerts.errors import AlertsError
from alerts.matchers import BadMatcher, Matcher, Operator, all_match, parse_matchers
from alerts.state import AlertStore
from alerts.tables import SILENCES

RETENTION: Final = timedelta(hours=120)
MOST_COMMENT_CHARS: Final = 1_000


class SilenceState(StrEnum):
    """Where a silence stands at some time."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts that have all matchers are not told from `starts_at` to `ends_at`. Times are aware UTC."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    updated_at: datetime

    def state(self, now: datetime) -> SilenceState:
        """Return where it stands; both ends belong to it."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.EXPIRED if now > self.ends_at else SilenceState.ACTIVE

    def mutes(self, labels: Mapping[str, str], now: datetime) -> bool:
        """Say whether an alert with these labels is not told now."""
        return self.state(now) is SilenceState.ACTIVE and all_match(self.matchers, labels)


def new_silence(
    matchers: Sequence[str], *, starts_at: datetime, ends_at: datetime, created_by: str, comment: str, now: datetime
) -> Silence:
    """Return a silence that can be added; raises AlertsError for one that makes no sense. It never begins in the past."""
    try:
        parsed = parse_matchers(matchers)
    except BadMatcher as error:
        raise AlertsError("make the silence", "its matchers", hint=str(error)) from None
    if all(_asks_for_nothing(matcher) for matcher in parsed):
        hint = 'one matcher at least must ask for something, as in alertname="AgentDown": this would silence alerts that lack the labels'
        raise AlertsError("make the silence", "its matchers", hint=hint)
    if not comment.strip() or not created_by.strip():
        raise AlertsError("make the silence", "its comment", hint="say why, so that others know: --comment TEXT")
    starts_at = max(starts_at, now)
    if ends_at <= starts_at:
        raise AlertsError("make the silence", "its end", hint="it lies before the beginning, or in the past: give a later one")
    return Silence(
        id=str(uuid4()),
        matchers=parsed,
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=created_by,
        comment=comment[:MOST_COMMENT_CHARS],
        updated_at=now,
    )


def _asks_for_nothing(matcher: Matcher) -> bool:
    """Say whether a label that is missing is all it needs (`silence.matchesEmpty`); one with `!=` or `!~` names what it does not want."""
    return matcher.operator in {Operator.EQUAL, Operator.REGEX} and matcher.accepts("")


def expired(silence: Silence, now: datetime) -> Silence:
    """Return a silence that ends now; one that has ended stays as it is."""
    state = silence.state(now)
    if state is SilenceState.EXPIRED:
        return silence
    return replace(silence, starts_at=min(silence.starts_at, now), ends_at=now, updated_at=now)


def muting(silences: Iterable[Silence], labels: Mapping[str, str], now: datetime) -> str | None:
    """Return the id of a silence that keeps an alert with these labels from being told, or None."""
    return next((silence.id for silence in silences if silence.mutes(labels, now)), None)


class Silences:
    """The silences of one data directory."""

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    def add(self, silence: Silence) -> None:
        """Store a new silence."""
        with self._store.begin() as connection:
            texts = {"matchers": json.dumps([str(matcher) for matcher in silence.matchers]), "comment": silence.comment}
            times = {"starts_at": silence.starts_at, "ends_at": silence.ends_at, "updated_at": silence.updated_at}
            connection.execute(insert(SILENCES).values(id=silence.id, created_by=silence.created_by, **texts, **times))

    def get(self, name: str) -> Silence:
        """Return the silence whose id begins with `name`; raises AlertsError unless it is one."""
        found = [silence for silence in self.all() if silence.id.startswith(name)] if name else []
        if len(found) != 1:
            hint = "several begin like this: give more of the id" if found else "auditlake alerts silence list --expired shows all"
            raise AlertsError("find the silence", name, hint=hint)
        return found[0]

    def expire(self, name: str, now: datetime) -> tuple[Silence, bool]:
        """End the silence whose id begins with `name`; returns it and whether it had not ended yet. Raises AlertsError."""
        before = self.get(name)
        after = expired(before, now)
        if after is not before:
            times = {"starts_at": after.starts_at, "ends_at": after.ends_at, "updated_at": after.updated_at}
            with self._store.begin() as connection:
                connection.execute(update(SILENCES).where(SILENCES.c.id == after.id).values(**times))
        return after, after is not before

    def all(self) -> list[Silence]:
        """Return every silence that is remembered, the one that ends last first."""
        with self._store.begin() as connection:
            rows = connection.execute(select(SILENCES).order_by(SILENCES.c.ends_at.desc(), SILENCES.c.id)).mappings().all()
        return [_silence(row) for row in rows]

    def active(self, now: datetime) -> list[Silence]:
        """Return the silences that hold now."""
        with self._store.begin() as connection:
            holding = (SILENCES.c.starts_at <= now, SILENCES.c.ends_at >= now)
            rows = connection.execute(select(SILENCES).where(*holding).order_by(SILENCES.c.id)).mappings().all()
        return [_silence(row) for row in rows]

    def prune(self, now: datetime) -> None:
        """Forget silences that ended `RETENTION` ago."""
        with self._store.begin() as connection:
            connection.execute(delete(SILENCES).where(SILENCES.c.ends_at < now - RETENTION))


def _silence(row: RowMapping) -> Silence:
    names = ("id", "starts_at", "ends_at", "created_by", "comment", "updated_at")
    return Silence(matchers=parse_matchers(json.loads(row["matchers"])), **{name: row[name] for name in names})
