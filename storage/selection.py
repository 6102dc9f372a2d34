"""Which rows somebody means: those of a run, of a tenant, of a person, of a time, or that a predicate finds. For erasure and legal hold.

What auditlake wrote about itself belongs to no run and no tenant, but may be about a person (`storage.person`). A derivation goes with the
row that it was made of.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa

from storage.catalog import Catalog
from storage.errors import QueryRefused, StorageError
from storage.lake import Lake
from storage.person import of_person
from storage.rows import Rows
from storage.scanning import Scanner, add_derivations, note_found, places
from storage.schema import TIME_NS

_NOT_OWN: Final = "NOT coalesce(starts_with(scope_name, 'auditlake.'), false)"
_VIEWS: Final = ("spans", "events", "metrics")
_PREDICATE_SECONDS: Final = 3600.0
_MOST_ROWS: Final = 1 << 40
_BEGINNING: Final = -(2**63)
_END: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Rows for which all of this holds; None and () say nothing. Times are unix ns, both ends included."""

    run: str | None = None
    tenant: str | None = None
    actors: tuple[str, ...] = ()  # all names of one person, as rows can have them
    from_ns: int | None = None
    to_ns: int | None = None
    where: str | None = None  # a condition of SQL on the views spans, events and metrics

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all."""
        return all(getattr(self, each.name) in {None, ()} for each in fields(self))

    def to_json(self) -> str:
        """Return it as text; what says nothing is left out."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return orjson.dumps({name: value for name, value in said.items() if value not in {None, ()}}).decode()

    @classmethod
    def from_json(cls, text: str) -> "Selector":
        """Return what `to_json` wrote."""
        said = orjson.loads(text)
        return cls(**{**said, "actors": tuple(said.get("actors", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The rows that were found, and the files in which nobody could look."""

    rows: Rows
    damaged: tuple[str, ...] = ()


def select(data: Path, selector: Selector, *, identity_keys: Sequence[str] = ()) -> Selection:
    """Return the rows that a selector means. `identity_keys` are attributes that say who; memory holds a byte or two a row found.

    Raises `StorageError` for a selector that says nothing, a predicate that is none, and what cannot be read.
    """
    if selector.is_empty:
        raise StorageError("select rows", "nothing", hint="say whose or which: a run, a tenant, an actor, a time or a predicate")
    with Lake.open(data) as lake, closing(Catalog.open(data, read_only=True)) as catalog:
        scanner = Scanner(data, catalog)
        found = _found(lake, catalog, scanner, selector, identity_keys)
        add_derivations(scanner, found)
        return Selection(rows=found, damaged=tuple(sorted({*scanner.unreadable, *(damage.path for damage in lake.damaged)})))


def _found(lake: Lake, catalog: Catalog, scanner: Scanner, selector: Selector, keys: Sequence[str]) -> Rows:
    """The rows that are in the set of each criterion."""
    sets: list[Rows] = []
    if selector.actors:
        sets.append(of_person(lake, catalog, scanner, selector.actors, keys))
    if selector.run is not None:
        sets.append(_of_run(lake, scanner, selector.run))
    if selector.tenant is not None:
        sets.append(_stored(scanner, ("tenant",), selector.tenant))
    if selector.from_ns is not None or selector.to_ns is not None:
        sets.append(_of_time(lake, selector.from_ns, selector.to_ns))
    if selector.where is not None:
        sets.append(_by_predicate(lake, selector.where))
    return _common(sets)


def _common(sets: list[Rows]) -> Rows:
    if len(sets) == 1:
        return sets[0]
    found = Rows()
    for table, (origin, entry, row) in sets[0].places():
        if all(other.has(table, (origin, entry, row)) for other in sets[1:]):
            found.add(table, origin, entry, row)
    return found


def _of_run(lake: Lake, scanner: Scanner, run: str) -> Rows:
    found = _stored(scanner, ("run_id", "trace_id"), run)
    for view in ("spans", "events"):  # a data point knows its run, or has none
        sql = f"SELECT origin, entry, entry_row FROM {view} WHERE (run_id = $run OR sent_run_id = $run) AND {_NOT_OWN}"  # noqa: S608  # nosec B608 - a view's name
        found.note(view, lake.sql(sql, {"run": run}))
    return found


def _stored(scanner: Scanner, columns: Sequence[str], value: str) -> Rows:
    """The rows that have the value in one of the columns, as files have them."""

    def query(schema: pa.Schema) -> str:
        named = " OR ".join(f"{column} = $value" for column in columns if column in schema.names)
        own = f" AND {_NOT_OWN}" if "scope_name" in schema.names else ""
        return f"SELECT {places(schema)} FROM {{files}} WHERE ({named}){own}"  # noqa: S608  # nosec B608 - names of columns

    found = Rows()
    for file, rows in scanner.rows(query, {"value": value}):
        note_found(found, file, rows)
    return found


def _of_time(lake: Lake, from_ns: int | None, to_ns: int | None) -> Rows:
    found = Rows()
    times = {"from_ns": _BEGINNING if from_ns is None else from_ns, "to_ns": _END if to_ns is None else to_ns}
    for view in _VIEWS:
        when = f"CASE WHEN clock_flagged OR {TIME_NS[view]} IS NULL THEN received_ns ELSE {TIME_NS[view]} END"
        sql = f"SELECT origin, entry, entry_row FROM {view} WHERE {when} BETWEEN $from_ns AND $to_ns"  # noqa: S608  # nosec B608 - names of ours
        found.note(view, lake.sql(sql, times, from_ns=from_ns, to_ns=to_ns))
    return found


def _by_predicate(lake: Lake, where: str) -> Rows:
    """The rows of each view that has what the predicate names. Raises `QueryRefused` when none has, or when a row has no answer."""
    found, refused = Rows(), []
    for view in _VIEWS:
        sql = f"SELECT origin, entry, entry_row FROM {view} WHERE (\n{where}\n)"  # noqa: S608  # nosec B608 - the sandbox judges it
        try:
            lake.query(f"{sql} LIMIT 0")  # looks at no row: what is refused here is the predicate, not what a row says
        except QueryRefused as error:
            refused.append(error)
            continue
        found.note(view, lake.query(sql, timeout_seconds=_PREDICATE_SECONDS, max_rows=_MOST_ROWS))
    if len(refused) == len(_VIEWS):
        raise refused[0]
    return found
