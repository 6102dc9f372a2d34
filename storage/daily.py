"""What the catalog holds of each day: for who keeps something that was counted over whole days and asks which to count again."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from storage.catalog import Catalog
from storage.catalog_tables import FILES, ORDERS, RUNS, TRACE_RUNS

_COUNTED = ("spans", "events", "derivations")


def day_marks(catalog: Catalog, since: str) -> dict[str, str]:
    """Return a mark of each UTC day (`YYYY-MM-DD`) from `since` on that has spans, log records or derivations of them.

    It changes when rows come or go, and not when compaction merges files; `rows_of` tells their number. Raises `StorageError`.
    """
    live = (FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None), FILES.c.table_name.in_(_COUNTED), FILES.c.date >= since)
    parts = (FILES.c.date, FILES.c.table_name, FILES.c.origin)
    query = sa.select(*parts, sa.func.sum(FILES.c.rows).label("rows"), sa.func.max(FILES.c.max_entry).label("last"))
    said: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    for row in catalog.read(query.where(*live).group_by(*parts).order_by(*parts)):
        said.setdefault(row["date"], []).append(f"{row['table_name']} {row['origin']} {row['rows']} {row['last']}")
        rows[row["date"]] = rows.get(row["date"], 0) + int(row["rows"])
    return {day: f"{_digest(lines)}/{rows[day]}" for day, lines in said.items()}


def rows_of(mark: str) -> int:
    """Return how many rows a day had, by its mark; an empty one is of a day without any."""
    _, known, rows = mark.rpartition("/")
    return int(rows) if known else 0


def erased_since(catalog: Catalog, since_ns: int) -> bool:
    """Say whether an erasure may have taken rows since then, or still does. Raises `StorageError`."""
    done = sa.or_(ORDERS.c.done_ns.is_(None), ORDERS.c.done_ns >= since_ns)
    return bool(catalog.read(sa.select(ORDERS.c.id).where(ORDERS.c.kind == "erasure", done).limit(1)))


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


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _days(first_ns: int, last_ns: int) -> Iterator[str]:
    day = datetime.fromtimestamp(first_ns / 1e9, UTC).date()
    last = datetime.fromtimestamp(last_ns / 1e9, UTC).date()
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
