"""Erasing whom an order is about from the state of the alerts: alerts whose labels name them, and messages that wait or were sent."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from alerts.errors import AlertsError
from alerts.state import BUSY_SECONDS, FILE_NAME

_TEXTS: Final = {
    "alerts": ("labels", "annotations"),
    "outbox": ("group_key", "body", "error"),
    "evaluations": ("error",),
    "groups": ("group_key", "labels"),
    "members": ("group_key", "labels", "annotations"),
    "notifications": ("group_key",),
    "silences": ("matchers", "comment"),
    "acks": ("comment",),
    "slo_hours": ("counts",),
    "budgets": ("subject", "tenant", "set_by"),
    "budget_spending": ("tenant", "agent", "user"),
    "budget_rungs": ("subject", "tenant"),
}
"""The tables whose rows can name somebody, and in which columns."""


def forget(data: Path, mentions: Callable[[str], object]) -> int:
    """Delete what names somebody, and leave no trace of it in the file; return how many rows. Raises `AlertsError`."""
    path = data / FILE_NAME
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = sum(_forget(connection, table, columns, mentions) for table, columns in _TEXTS.items() if table in known)
            connection.execute("VACUUM")  # also when nothing was found now: a crash may have come between
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise sqlite3.OperationalError("database is locked")
            return found
    except sqlite3.Error as error:
        hint = (
            "the alert scheduler keeps it busy: give the order again" if "lock" in str(error) else "move the file away: alerts begin anew"
        )
        raise AlertsError("erase from the state of the alerts", path, hint=hint) from error


def _forget(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], mentions: Callable[[str], object]) -> int:
    rows = connection.execute(f"SELECT rowid, {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608  # nosec B608 - names of ours
    named = [(rowid,) for rowid, *texts in rows if any(text and mentions(text) for text in texts)]
    connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", named)  # noqa: S608  # nosec B608 - a name of ours
    return len(named)
