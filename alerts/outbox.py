"""The outbox: messages that wait for their receiver, were delivered, or were given up. Part of the state of the alerts.

A message stays until its receiver took it. What became of it is stored together with the event that tells it, in one transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert

from alerts.payload import ACKNOWLEDGED
from alerts.tables import NOTIFICATIONS, OUTBOX


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something to deliver: `key` is the same each time it is tried."""

    key: str
    receiver: str
    group_key: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message in the outbox that is due."""

    id: int
    attempts: int
    message: Message


Tell = Callable[[Delivery], Iterable[Message]]
"""Returns the events that tell what became of a message."""


def nothing(delivery: Delivery) -> Iterable[Message]:
    """Tell nothing."""
    del delivery
    return ()


class Outbox:
    """The messages of one data directory; one instance may be used by several threads. An erasure may take messages out at any time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, now: datetime, receiver: str, *, most: int = 100) -> list[Delivery]:
        """Return messages to deliver now, oldest first; never two of one group, so that their order holds."""
        earlier = OUTBOX.alias("earlier")
        blocked = exists().where(
            earlier.c.receiver == OUTBOX.c.receiver,
            earlier.c.group_key == OUTBOX.c.group_key,
            earlier.c.id < OUTBOX.c.id,
            earlier.c.delivered_at.is_(None),
            earlier.c.dead.is_(False),
        )
        wanted = (*_open(), OUTBOX.c.due_at <= now, OUTBOX.c.receiver == receiver)
        with self._engine.connect() as connection:
            rows = connection.execute(select(OUTBOX).where(*wanted, ~blocked).order_by(OUTBOX.c.id).limit(most)).mappings().all()
        return [_delivery(row) for row in rows]

    def of_others(self, receivers: Sequence[str]) -> list[Delivery]:
        """Return the messages that wait for receivers other than these, oldest first."""
        waiting = (*_open(), OUTBOX.c.receiver.not_in(receivers))
        with self._engine.connect() as connection:
            return [_delivery(row) for row in connection.execute(select(OUTBOX).where(*waiting).order_by(OUTBOX.c.id)).mappings()]

    def still(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Return those of these messages that are still here."""
        with self._engine.connect() as connection:
            return _still(connection, deliveries)

    @contextmanager
    def holding(self, deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
        """Give those of these messages that are still here; none is taken out while the body runs."""
        with writing(self._engine) as connection:
            yield _still(connection, deliveries)

    def delivered(self, deliveries: Sequence[Delivery], at: datetime, *, attempts: int = 1, tell: Tell = nothing) -> None:
        """Mark messages that their receiver took, after this many more attempts, together with the events that tell so.

        Of one that was erased meanwhile nothing is told.
        """
        with writing(self._engine) as connection:
            still = _still(connection, deliveries)
            taken = {"delivered_at": at, "error": None, "attempts": OUTBOX.c.attempts + attempts}
            connection.execute(update(OUTBOX).where(_these(still)).values(taken))
            post(connection, [event for delivery in still for event in tell(delivery)])

    def failed(
        self,
        deliveries: Sequence[Delivery],
        error: str,
        *,
        due_at: datetime | None,
        attempts: int = 1,
        tell: Tell = nothing,
        untold: Iterable[Message] = (),
    ) -> None:
        """Keep messages for another attempt at `due_at`; or give them up when it is None, together with the events that tell so.

        Of those in `untold` the notification log forgets that they were told, unless something newer was: the next look at their group
        tells what is so then, as in Alertmanager, whose log has only what arrived. Of one that was erased meanwhile nothing is told.
        """
        values: dict[str, Any] = {"error": error, "attempts": OUTBOX.c.attempts + attempts, "dead": due_at is None}
        if due_at is not None:
            values["due_at"] = due_at
        with writing(self._engine) as connection:
            still = _still(connection, deliveries)
            connection.execute(update(OUTBOX).where(_these(still)).values(values))
            for message in untold:
                told = NOTIFICATIONS.c
                same = (told.group_key == message.group_key, told.receiver == message.receiver, told.at == message.created_at)
                connection.execute(delete(NOTIFICATIONS).where(*same))
            post(connection, [event for delivery in still for event in tell(delivery)])

    def hasten(self, receiver: str, now: datetime) -> None:
        """Make everything that waits for a receiver due: it is back."""
        waiting = (*_open(), OUTBOX.c.receiver == receiver, OUTBOX.c.due_at > now)
        with self._engine.begin() as connection:
            connection.execute(update(OUTBOX).where(*waiting).values(due_at=now))

    def outbox(self) -> list[dict[str, Any]]:
        """Return every message that is still remembered, oldest first."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(select(OUTBOX).order_by(OUTBOX.c.id)).mappings()]

    def undelivered(self) -> list[dict[str, Any]]:
        """Return the messages that wait after a failure or were given up, oldest first; `superseded` says whether a later one tells how
        things stand in the same group, and was given up itself or arrived: sending this one would tell the past."""
        later = OUTBOX.alias("later")
        superseded = exists().where(
            later.c.receiver == OUTBOX.c.receiver,
            later.c.group_key == OUTBOX.c.group_key,
            later.c.id > OUTBOX.c.id,
            func.json_extract(later.c.body, "$.status") != ACKNOWLEDGED,
            later.c.delivered_at.is_not(None) | later.c.dead.is_(True),
        )
        tried = OUTBOX.c.delivered_at.is_(None) & (OUTBOX.c.dead.is_(True) | (OUTBOX.c.attempts > 0))
        query = select(OUTBOX, superseded.label("superseded")).where(tried).order_by(OUTBOX.c.id)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def revive(self, ids: Sequence[int], now: datetime, *, events: Iterable[Message] = ()) -> int:
        """Put given-up messages back among those that wait, as if they were made now; returns how many those were."""
        values = {"dead": False, "error": None, "due_at": now, "created_at": now}
        with self._engine.begin() as connection:
            dead = (OUTBOX.c.id.in_(ids), OUTBOX.c.dead.is_(True), OUTBOX.c.delivered_at.is_(None))
            count = connection.execute(update(OUTBOX).where(*dead).values(values)).rowcount
            post(connection, events)
        return count


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Return a transaction in which nobody else writes from its beginning on: what it reads is so until it is committed."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def post(connection: Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox; one whose key is there already is the same message."""
    rows = [
        {**{name: getattr(message, name) for name in Message.__dataclass_fields__}, "due_at": message.created_at} for message in messages
    ]
    if rows:
        connection.execute(insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]), rows)


def _delivery(row: RowMapping) -> Delivery:
    names = list(Message.__dataclass_fields__)
    return Delivery(id=row["id"], attempts=row["attempts"], message=Message(**{name: row[name] for name in names}))


def _these(deliveries: Sequence[Delivery]) -> ColumnElement[bool]:
    """By key: the number of one that was erased may be another's now."""
    return OUTBOX.c.key.in_([delivery.message.key for delivery in deliveries])


def _still(connection: Connection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    found = set(connection.execute(select(OUTBOX.c.key).where(_these(deliveries))).scalars())
    return [delivery for delivery in deliveries if delivery.message.key in found]


def forget_finished(connection: Connection, before: datetime) -> None:
    """Remove messages that were delivered or given up and are older."""
    finished = OUTBOX.c.delivered_at.is_not(None) | OUTBOX.c.dead.is_(True)
    connection.execute(delete(OUTBOX).where(finished, OUTBOX.c.created_at < before))


def _open() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return OUTBOX.c.delivered_at.is_(None), OUTBOX.c.dead.is_(False)
