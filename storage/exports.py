"""Files that left the lake before rows were erased, and hold them or may: nobody here can reach them, but the lake says who took them.

What is said is kept with the order, so it names neither the run nor, where it is the person, who took the file.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from storage.catalog import Catalog
from storage.catalog_removals import Removal
from storage.catalog_tables import ENTRIES
from storage.lake import Lake
from storage.removal import Taken
from storage.rows import Rows
from storage.vanished import named
from storage.views import query_sql

_RECORD: Final = re.compile(r"(?P<origin>.+)/(?P<entry>\d{1,18})/(?P<row>\d{1,18})")
_OF_NO_RUN: Final = "ocsf"
"""What `auditlake export` is about when it is not about a run."""


def exports(
    data: Path, catalog: Catalog, taken: Sequence[Taken], gone: Sequence[Removal], rows: Rows, mentions: Callable[[str], object]
) -> list[str]:
    """Return what is to be said of each export that holds rows which go, or may. Raises `StorageError`, OSError."""
    if not gone:
        return []
    traces, runs = named(data, taken)
    names = {*traces, *runs, *catalog.run_of_traces(sorted(traces | runs)).values()}
    with Lake.open(data) as lake:
        told = lake.sql(query_sql("exports"), {"since_ns": _received_ns(catalog, gone)}).to_pylist()
    said = []
    for each in told:
        if (holds := _holds(each, names, rows, gone)) is not False:
            who = "somebody" if not each["actor"] or mentions(each["actor"]) else each["actor"]
            what = "it may hold what was erased" if holds is None else "it holds what was erased"
            said.append(f"export ({each['action']}) by {who}, {each['time']:%Y-%m-%dT%H:%M:%SZ}: {what}; delete it where it is")
    return said


def _holds(told: Mapping[str, Any], names: Collection[str], rows: Rows, gone: Sequence[Removal]) -> bool | None:
    """Whether an export holds rows that go; None where nobody can tell."""
    resource = told["resource"] or ""
    if resource in names:
        return True
    if record := _RECORD.fullmatch(resource):
        place = (record["origin"], int(record["entry"]), int(record["row"]))
        return any(rows.has(table, place) for table in {each.table for each in gone})
    return False if told["action"] in {"bundle", "export"} and resource != _OF_NO_RUN else None


def _received_ns(catalog: Catalog, gone: Sequence[Removal]) -> int:
    """Before this time none of the rows was there."""
    first: dict[str, int] = {}
    for each in gone:
        first[each.origin] = min(first.get(each.origin, each.first), each.first)
    of_entries = [sa.and_(ENTRIES.c.origin == origin, ENTRIES.c.entry == entry) for origin, entry in first.items()]
    found = catalog.read(sa.select(ENTRIES.c.first_received_ns).where(sa.or_(*of_entries)))
    return min((row["first_received_ns"] for row in found if row["first_received_ns"] is not None), default=0)
