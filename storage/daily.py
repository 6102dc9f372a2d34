"""What the catalog holds of each day: for who keeps something that was counted over whole days and asks which to count again."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from storage.catalog import Catalog
from storage.catalog_tables import FILES, RUNS, TRACE_RUNS

_COUNTED = ("spans", "events", "derivations")


def day_marks(catalog: Catalog, since: str) -> dict[str, str]:
    """Return a mark of each UTC day (`YYYY-MM-DD`) from `since` on that has spans, log records or derivations of them.

    It changes when rows come or go, and not when compaction merges files. Raises `StorageError`.
    """
    live = (FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None), FILES.c.table_name.in_(_COUNTED), FILES.c.date >= since)
    parts = (FILES.c.date, FILES.c.table_name, FILES.c.origin)
    query = sa.select(*parts, sa.func.sum(FILES.c.rows).label("rows"), sa.func.max(FILES.c.max_entry).label("last"))
    said: dict[str, list[str]] = {}
    for row in catalog.read(query.where(*live).group_by(*parts).order_by(*parts)):
        said.setdefault(row["date"], []).append(f"{row['table_name']} {row['origin']} {row['rows']} {row['last']}")
    return {day: hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] for day, lines in said.items()}


def joined_days(catalog: Catalog, since_version: int) -> tuple[set[str], int]:
    """Return the days of traces that came into another run since a version of the catalog, and the version to ask with next.

    Raises `StorageError`.
    """
    newest = catalog.read(sa.select(sa.func.max(TRACE_RUNS.c.changed).label("version")))[0]["version"] or 0
    if newest <= since_version:
        return set(), since_version
    times = sa.select(RUNS.c.first_ns, RUNS.c.last_ns).join(TRACE_RUNS, RUNS.c.run_id == TRACE_RUNS.c.trace_id)
    rows = catalog.read(times.where(TRACE_RUNS.c.changed > since_version))
    return {day for row in rows for day in _days(row["first_ns"], row["last_ns"])}, int(newest)


def _days(first_ns: int, last_ns: int) -> Iterator[str]:
    day = datetime.fromtimestamp(first_ns / 1e9, UTC).date()
    last = datetime.fromtimestamp(last_ns / 1e9, UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
