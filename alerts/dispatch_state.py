"""Groups and the notification log in `<data>/alerts.sqlite`: what the dispatcher has to know after a restart."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from alerts.evaluate import Alert, State
from alerts.grouping import Entry, GroupId, Groups, StoredGroup
from alerts.tables import GROUPS, MEMBERS, NOTIFICATIONS

EntryId = tuple[str, str]
"""Key of the group and name of the receiver in the outbox."""
MOST_KEYS: Final = 500
"""Of one query: SQLite takes some thousand parameters."""


def stored_groups(connection: Connection) -> dict[GroupId, StoredGroup]:
    """Return all groups with their alerts."""
    members: dict[GroupId, dict[str, Alert]] = {}
    for row in connection.execute(select(MEMBERS)).mappings():
        members.setdefault((row["route"], row["group_key"]), {})[row["fingerprint"]] = _alert(row)
    return {
        (row["route"], row["group_key"]): StoredGroup(
            due_at=row["due_at"], flushed_at=row["flushed_at"], alerts=members.get((row["route"], row["group_key"]), {})
        )
        for row in connection.execute(select(GROUPS)).mappings()
    }


def stored_entries(connection: Connection, group_keys: Collection[str], now: datetime) -> dict[EntryId, Entry]:
    """Return the notification log of these groups, without what is over."""
    keys = sorted(group_keys)
    found: dict[EntryId, Entry] = {}
    for first in range(0, len(keys), MOST_KEYS):
        wanted = (NOTIFICATIONS.c.group_key.in_(keys[first : first + MOST_KEYS]), NOTIFICATIONS.c.expires_at > now)
        for row in connection.execute(select(NOTIFICATIONS).where(*wanted)).mappings():
            found[row["group_key"], row["receiver"]] = Entry(
                firing=frozenset(json.loads(row["firing"])),
                resolved=frozenset(json.loads(row["resolved"])),
                at=row["at"],
                expires_at=row["expires_at"],
            )
    return found


def store_groups(connection: Connection, groups: Groups) -> None:
    """Write what has changed of the groups."""
    for key in groups.changed:
        connection.execute(delete(GROUPS).where(GROUPS.c.route == key[0], GROUPS.c.group_key == key[1]))
        group = groups.get(key)
        if group is not None:
            row = {"route": key[0], "group_key": key[1], "labels": _text(group.labels)}
            connection.execute(insert(GROUPS).values(**row, due_at=group.due_at, flushed_at=group.flushed_at))
    kept = []
    for key, mark in groups.changed_members:
        group = groups.get(key)
        alert = group.alerts.get(mark) if group is not None else None
        if alert is not None:
            kept.append(_row(key, alert))
        else:
            same = (MEMBERS.c.route == key[0], MEMBERS.c.group_key == key[1], MEMBERS.c.fingerprint == mark)
            connection.execute(delete(MEMBERS).where(*same))
    if kept:
        statement = upsert(MEMBERS)
        columns = {column.name: statement.excluded[column.name] for column in MEMBERS.c if not column.primary_key}
        connection.execute(statement.on_conflict_do_update(index_elements=["route", "group_key", "fingerprint"], set_=columns), kept)


def store_entries(connection: Connection, entries: Mapping[EntryId, Entry], now: datetime) -> None:
    """Write entries of the notification log, and forget those that are over."""
    connection.execute(delete(NOTIFICATIONS).where(NOTIFICATIONS.c.expires_at <= now))
    for (group_key, receiver), entry in entries.items():
        told = {"firing": json.dumps(sorted(entry.firing)), "resolved": json.dumps(sorted(entry.resolved))}
        values = {**told, "at": entry.at, "expires_at": entry.expires_at}
        statement = upsert(NOTIFICATIONS).values(group_key=group_key, receiver=receiver, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["group_key", "receiver"], set_=values))


def _row(key: GroupId, alert: Alert) -> dict[str, Any]:
    names = ("fingerprint", "value", "active_at", "fired_at", "resolved_at")
    texts = {"labels": _text(alert.labels), "annotations": _text(alert.annotations)}
    return {"route": key[0], "group_key": key[1], **texts, **{name: getattr(alert, name) for name in names}}


def _alert(row: RowMapping) -> Alert:
    names = ("fingerprint", "value", "active_at", "fired_at", "resolved_at")
    texts = {name: json.loads(row[name]) for name in ("labels", "annotations")}
    state = State.FIRING if row["resolved_at"] is None else State.RESOLVED
    return Alert(state=state, **texts, **{name: row[name] for name in names})


def _text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), sort_keys=True)
