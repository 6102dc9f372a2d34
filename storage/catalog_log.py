"""What the ledger's logs hold, in the catalog: the queue from which `storage.ledger.log` writes the logs themselves.

An entry is inserted in the transaction that makes it true, so the log never says more than the catalog, and after a crash what it lacks
is here.
"""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from storage.catalog_tables import LOG
from storage.layout import LogRecord

_LOG: Final = "auditlake_log"
_SIZES: Final = """
WITH RECURSIVE origins (origin) AS (  -- one look a name: the table has a row for every segment ever sealed
    SELECT min(origin) FROM log
    UNION ALL
    SELECT (SELECT min(origin) FROM log WHERE log.origin > origins.origin) FROM origins WHERE origin IS NOT NULL
)
SELECT origin, (SELECT max(idx) + 1 FROM log WHERE log.origin = origins.origin) FROM origins WHERE origin IS NOT NULL
"""


def append(connection: sa.Connection, log: Sequence[LogRecord]) -> None:
    """Insert entries behind the last of their origins; the connection is in a transaction that writes."""
    for record in log:
        last = connection.execute(sa.select(sa.func.max(LOG.c.idx)).where(LOG.c.origin == record.origin)).scalar()
        values = {"origin": record.origin, "kind": record.kind, "entry": record.entry, "body": record.body.decode()}
        connection.execute(sa.insert(LOG).values(idx=0 if last is None else last + 1, **values))


def empty(connection: sa.Connection, origin: str, first: int, below: int) -> None:
    """Forget what the segments from index `first` to under `below` say: the log has it."""
    written = sa.and_(LOG.c.origin == origin, LOG.c.idx >= first, LOG.c.idx < below, LOG.c.kind == "segment")
    connection.execute(sa.update(LOG).where(written).values(body=""))


def sizes(connection: sa.Connection) -> dict[str, int]:
    """Return the number of entries by origin; of a catalog from before the ledger none."""
    return {row[0]: row[1] for row in connection.exec_driver_sql(_SIZES)} if _exists(connection) else {}


def records(connection: sa.Connection, origin: str, first: int, count: int) -> list[LogRecord]:
    """Return at most `count` entries of an origin from index `first` on."""
    query = sa.select(LOG).where(LOG.c.origin == origin, LOG.c.idx >= first).order_by(LOG.c.idx).limit(count)
    return _records(connection.execute(query)) if _exists(connection) else []


def _records(rows: sa.CursorResult[Any]) -> list[LogRecord]:
    return [LogRecord(origin=row.origin, kind=row.kind, entry=row.entry, body=row.body.encode()) for row in rows]


def newest(connection: sa.Connection, origin: str, kind: str, below: int) -> LogRecord | None:
    """Return the last entry of a kind, of those that are no segment, among the first `below` of an origin."""
    of_kind = sa.and_(LOG.c.origin == origin, LOG.c.entry.is_(None), LOG.c.kind == kind, LOG.c.idx < below)
    query = sa.select(LOG).where(of_kind).order_by(LOG.c.idx.desc()).limit(1)
    rows = _records(connection.execute(query)) if _exists(connection) else []
    return rows[0] if rows else None


def index_of(connection: sa.Connection, origin: str, entry: int) -> int | None:
    """Return the index of a segment in its origin's log."""
    query = sa.select(LOG.c.idx).where(LOG.c.origin == origin, LOG.c.entry == entry, LOG.c.kind == "segment")
    found = connection.execute(query).scalar() if _exists(connection) else None
    return None if found is None else int(found)


def _exists(connection: sa.Connection) -> bool:
    """Whether the catalog was opened for writing since there is a ledger: asked until it is so, then known of the connection."""
    if _LOG not in connection.info:
        found = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'log'").first()
        if found is None:
            return False
        connection.info[_LOG] = True
    return True
