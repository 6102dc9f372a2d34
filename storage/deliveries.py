"""Which copy of a request counts.

A sender that got no answer sends a request again, and a load balancer may give the copy to another collector of the same lake: both
are acknowledged, so both are stored. All but one are marked (`resent`), and left out where runs are put together. The first one that is
sealed counts. That is written down before its rows are published: sealing the same segment again after a crash marks the same rows,
whatever was sealed in between.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.catalog_tables import DELIVERIES, ENTRIES

WINDOW_NS: Final = 10 * 60 * 1_000_000_000
"""Two equal requests are one when they were received at most this far apart."""
KEPT_NS: Final = 15 * 60 * 1_000_000_000
"""How long a sealed request's digest is kept: an exporter gives up its retries long before."""
_CHUNK: Final = 500  # values in one IN (…)
_OF_VERSION_0_1: Final = (
    """INSERT OR IGNORE INTO deliveries
    SELECT digest, origin, (SELECT coalesce(max(entry), -1) FROM entries WHERE entries.origin = batches.origin), received_ns, 0
    FROM batches""",
    "DROP TABLE batches",
)

Batch = tuple[str, int]
"""Digest and receive time, unix ns."""


def settle(connection: sa.Connection, origin: str, entry: int, batches: Sequence[Batch]) -> list[bool]:
    """Return of each batch of an entry, in their order, whether it is a copy; the answer for an entry never changes.

    The connection is in a transaction that writes. Forgets what is sealed and too old to matter.
    """
    first: dict[str, int] = {}
    for digest, received_ns in batches:
        first.setdefault(digest, received_ns)
    settled: dict[str, bool] = {}
    stored_before: set[str] = set()
    digests = list(first)
    for start in range(0, len(digests), _CHUNK):
        chunk = digests[start : start + _CHUNK]
        for row in connection.execute(sa.select(DELIVERIES).where(DELIVERIES.c.digest.in_(chunk))):
            if (row.origin, row.entry) == (origin, entry):
                settled[row.digest] = bool(row.copy)
            elif not row.copy and abs(row.received_ns - first[row.digest]) <= WINDOW_NS:
                stored_before.add(row.digest)
    new = {digest: digest in stored_before for digest in digests if digest not in settled}
    if new:
        entered = {"origin": origin, "entry": entry}
        rows = [entered | {"digest": digest, "received_ns": first[digest], "copy": copy} for digest, copy in new.items()]
        connection.execute(insert(DELIVERIES), rows)
    _forget(connection, max(first.values()) - KEPT_NS)
    return _copies(batches, settled | new)


def _copies(batches: Sequence[Batch], settled: dict[str, bool]) -> list[bool]:
    """What is settled of the first of each digest holds for it; a later one of the entry is a copy of that when it came in time."""
    seen: dict[str, int] = {}
    copies = []
    for digest, received_ns in batches:
        again = digest in seen and abs(received_ns - seen[digest]) <= WINDOW_NS
        copies.append(again or (digest not in seen and settled[digest]))
        seen.setdefault(digest, received_ns)
    return copies


def _forget(connection: sa.Connection, before_ns: int) -> None:
    """What is not sealed yet stays, however old it is: sealing it must find its answer again."""
    sealed = sa.exists().where(ENTRIES.c.origin == DELIVERIES.c.origin, ENTRIES.c.entry == DELIVERIES.c.entry)
    connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.received_ns < before_ns, sealed))


def take_over(connection: sa.Connection) -> None:
    """Bring over what version 0.1 remembered of recent requests."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'batches'").first() is not None:
        for statement in _OF_VERSION_0_1:
            connection.exec_driver_sql(statement)
