"""Erasing whom an order is about from the state of the alerts, so that a process at work does not write it back from its memory.

Each order is counted in the transaction that deletes. Whoever writes what it remembers (`AlertStore.remembered`) compares the count in the
transaction of the write: when another one came, nothing is written, and the memory is read again. While an order is at work (`at_work`),
events of the alert process wait in its outbox, where the order finds them, and go into the lake when it is done.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from alerts.errors import AlertsError
from alerts.state import BUSY_SECONDS, FILE_NAME, ORDER_FILE
from storage.removal import waiting_for

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
_COUNT: Final = (
    "CREATE TABLE IF NOT EXISTS orders (id INTEGER NOT NULL PRIMARY KEY, number INTEGER NOT NULL)",
    "INSERT INTO orders (id, number) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET number = number + 1",
)
"""The table is `alerts.tables.ORDERS`; a file that an older process made has none yet."""


def forget(data: Path, mentions: Callable[[str], object]) -> int:
    """Delete what names somebody, and leave no trace of it in the file; return how many rows. Raises `AlertsError`.

    What reads the lake has to be forgotten once more when the rows of the lake are gone: until then rules find them.
    """
    path = data / FILE_NAME
    if not path.exists():
        return 0
    with _opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = sum(_forget(connection, table, columns, mentions) for table, columns in _TEXTS.items() if table in known)
        found += _forget_errors(connection, mentions) if "rules" in known else 0
        for statement in _COUNT:  # whatever was found: it may stand in a memory alone
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("VACUUM")  # also when nothing was found now: a crash may have come between
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("database is locked")
        return found


@contextmanager
def at_work(data: Path) -> Iterator[None]:
    """While the body runs, the alert process hands nothing to the lake; what it handed over before is there. Raises `AlertsError`,
    and `LakeLocked` when another order is at work for long."""
    with waiting_for(data / ORDER_FILE, "erase"):
        if (path := data / FILE_NAME).exists():
            with _opened(path) as connection:  # whoever writes at this moment ends first
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        yield


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        hint = (
            "the alert scheduler keeps it busy: give the order again" if "lock" in str(error) else "move the file away: alerts begin anew"
        )
        raise AlertsError("erase from the state of the alerts", path, hint=hint) from error


def _forget(connection: sqlite3.Connection, table: str, columns: tuple[str, ...], mentions: Callable[[str], object]) -> int:
    said = f"coalesce({', '.join(columns)}, NULL) IS NOT NULL"
    rows = connection.execute(f"SELECT rowid, {', '.join(columns)} FROM {table} WHERE {said}").fetchall()  # noqa: S608  # nosec B608 - names of ours
    named = [(rowid,) for rowid, *texts in rows if any(text and mentions(text) for text in texts)]
    connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", named)  # noqa: S608  # nosec B608 - a name of ours
    return len(named)


def _forget_errors(connection: sqlite3.Connection, mentions: Callable[[str], object]) -> int:
    """Of a rule only its last error can name somebody; the rule stays."""
    rows = connection.execute("SELECT rowid, error FROM rules WHERE error IS NOT NULL").fetchall()
    named = [("erased", rowid) for rowid, error in rows if mentions(error)]
    connection.executemany("UPDATE rules SET error = ? WHERE rowid = ?", named)
    return len(named)
