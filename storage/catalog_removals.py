"""Holds, orders and removals in the catalog: what must stay, what was ordered to go, what is gone."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage import catalog_log
from storage.catalog import Catalog
from storage.catalog_tables import FILES, HOLDS, JOINS, ORDERS, REFERENCES, REMOVALS, RUNS, TRACE_RUNS
from storage.errors import StorageError
from storage.layout import TURN_MARK, FileRecord, LogRecord, holder_of
from storage.selection import Selector

BEGUN: Final = "begun"
REMOVED: Final = "removed"
DONE: Final = "done"
_ERASED: Final = "erased with whom it was about"
_CHUNK: Final = 500  # values in one IN (…)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Rows that must stay, whatever rules and orders say."""

    id: str
    created_ns: int
    created_by: str
    reason: str
    selector: Selector
    released_ns: int | None = None
    released_by: str | None = None
    release_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An erasure or an expiry."""

    id: str
    kind: str  # erasure | expiry
    at_ns: int
    subject: str  # actor | run | tenant, not whom; of an expiry the rules
    fingerprint: str
    reason: str
    ordered_by: str
    state: str = BEGUN
    rows: int = 0
    done_ns: int | None = None
    remains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How many rows of a table went from entries `first` to `last` of an origin; `whole`: none of them is left."""

    origin: str
    table: str
    first: int
    last: int
    rows: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one order changes, all at once."""

    order: Order
    inputs: Sequence[FileRecord]
    outputs: Sequence[FileRecord]
    removals: Sequence[Removal]
    log: Sequence[LogRecord]
    gone_traces: Sequence[str] = ()
    gone_runs: Sequence[str] = ()
    oldest_ns: int | None = None  # no row is older than this from then on; None: runs that are gone are named
    mentions: Callable[[str], bool] | None = None  # whether a text of the catalog names whom the order is about
    references: Collection[str] = ()  # to values that are kept outside of the lake, from the rows that go
    gone_holds: Sequence[str] = ()  # released ones that say whom the order is about


def add_hold(catalog: Catalog, hold: Hold) -> None:
    """Enter a hold; from the return on no order passes it."""
    with catalog.changing("enter a hold") as connection:
        connection.execute(insert(HOLDS).values({**asdict(hold), "selector": hold.selector.to_json()}))


def holds(catalog: Catalog, *, released: bool = False) -> list[Hold]:
    """Return the holds in force, the oldest first; with `released` also the others."""
    query = sa.select(HOLDS).order_by(HOLDS.c.created_ns, HOLDS.c.id)
    query = query if released else query.where(HOLDS.c.released_ns.is_(None))
    return [Hold(**{**row, "selector": Selector.from_json(row["selector"])}) for row in catalog.read(query)]


def release_hold(catalog: Catalog, hold: str, *, now_ns: int, by: str, reason: str) -> bool:
    """End a hold; false when there is none of this id in force."""
    with catalog.changing("release a hold") as connection:
        released = {"released_ns": now_ns, "released_by": by, "release_reason": reason}
        in_force = sa.and_(HOLDS.c.id == hold, HOLDS.c.released_ns.is_(None))
        return connection.execute(sa.update(HOLDS).where(in_force).values(released)).rowcount > 0


def begin(catalog: Catalog, order: Order) -> Order:
    """Enter an order; where it was given before and removed nothing yet, it goes on under that number, as it is given now."""
    with catalog.changing("enter an order") as connection:
        same = sa.and_(ORDERS.c.fingerprint == order.fingerprint, ORDERS.c.state == BEGUN, ORDERS.c.kind == order.kind)
        earlier = connection.execute(sa.select(ORDERS).where(same)).mappings().first() if order.fingerprint else None
        if earlier is not None:
            order = replace(order, id=earlier["id"])
        connection.execute(insert(ORDERS).on_conflict_do_update(index_elements=["id"], set_=_values(order)).values(_values(order)))
    return order


def drop(catalog: Catalog, order: Order) -> None:
    """Take back an order that removed nothing."""
    with catalog.changing("take an order back") as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.id == order.id, ORDERS.c.state == BEGUN))


def orders(catalog: Catalog, *, state: str | None = None) -> list[Order]:
    """Return the orders (of a state), the oldest first."""
    query = sa.select(ORDERS).order_by(ORDERS.c.at_ns, ORDERS.c.id)
    return [_order(row) for row in catalog.read(query if state is None else query.where(ORDERS.c.state == state))]


def removals(catalog: Catalog, order: str | None = None) -> list[Removal]:
    """Return what is gone (by one order), by origin and entry."""
    query = sa.select(REMOVALS).order_by(REMOVALS.c.origin, REMOVALS.c.table_name, REMOVALS.c.first_entry)
    return [
        Removal(
            origin=row["origin"], table=row["table_name"], first=row["first_entry"], last=row["last_entry"], rows=row["rows"],
            whole=bool(row["whole"]),
        )
        for row in catalog.read(query if order is None else query.where(REMOVALS.c.order_id == order))
    ]  # fmt: skip


def commit(catalog: Catalog, change: Change, *, now_ns: int) -> None:
    """Make the rows gone: inputs are retired, outputs live, logs say so. Raises when an input is no longer live: nothing changed then."""
    with catalog.changing("remove rows") as connection:
        _swap(connection, change, now_ns)
        values = [
            {"order_id": change.order.id, "origin": each.origin, "table_name": each.table, "first_entry": each.first,
             "last_entry": each.last, "rows": each.rows, "whole": int(each.whole)}
            for each in change.removals
        ]  # fmt: skip
        if values:
            connection.execute(insert(REMOVALS), values)
        if change.references:
            connection.execute(insert(REFERENCES).on_conflict_do_nothing(), [{"reference": each} for each in sorted(change.references)])
        catalog_log.append(connection, change.log)
        _forget_runs(connection, change)
        if change.oldest_ns is not None:
            _forget_before(connection, change.oldest_ns)
        order = replace(change.order, state=REMOVED)
        connection.execute(insert(ORDERS).on_conflict_do_update(index_elements=["id"], set_=_values(order)).values(_values(order)))


def finish(catalog: Catalog, order: str, *, now_ns: int, remains: Sequence[str], pending: bool) -> None:
    """Write down where copies of removed rows are or may be. The order is done unless something is `pending`: to be tried again."""
    said = {"remains": orjson.dumps(list(remains)).decode()}
    with catalog.changing("finish an order") as connection:
        values = said | ({} if pending else {"state": DONE, "done_ns": now_ns})
        connection.execute(sa.update(ORDERS).where(ORDERS.c.id == order).values(values))


def references(catalog: Catalog) -> set[str]:
    """Return the references from rows that are gone which nobody has followed up."""
    return {row["reference"] for row in catalog.read(sa.select(REFERENCES))}


def forget_references(catalog: Catalog) -> None:
    """Note that they are followed up."""
    with catalog.changing("forget references") as connection:
        connection.execute(sa.delete(REFERENCES))


def _order(row: dict[str, Any]) -> Order:
    return Order(**{**row, "remains": tuple(orjson.loads(row["remains"]))})


def _values(order: Order) -> dict[str, Any]:
    return {**asdict(order), "remains": orjson.dumps(list(order.remains)).decode()}


def _swap(connection: sa.Connection, change: Change, now_ns: int) -> None:
    live = sa.and_(FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None))
    retired = 0
    for paths in _chunks([file.path for file in change.inputs]):
        retired += connection.execute(sa.update(FILES).where(FILES.c.path.in_(paths), live).values(retired_ns=now_ns)).rowcount
    if retired != len(change.inputs):
        raise StorageError("remove rows", change.order.id, hint="another process changed the files meanwhile: give the order again")
    if change.outputs:
        connection.execute(insert(FILES), [asdict(file) for file in change.outputs])


def _forget_runs(connection: sa.Connection, change: Change) -> None:
    """Take out of the catalog's knowledge of runs what only removed rows said."""
    holders = sorted({*change.gone_traces, *change.gone_runs})
    for chunk in _chunks(holders):
        connection.execute(sa.delete(JOINS).where(JOINS.c.trace_id.in_(chunk)))
        connection.execute(sa.delete(TRACE_RUNS).where(TRACE_RUNS.c.trace_id.in_(chunk)))
    if holders:
        timed = connection.execute(sa.select(TRACE_RUNS.c.trace_id).where(TRACE_RUNS.c.trace_id.contains(TURN_MARK))).scalars()
        for chunk in _chunks([name for name in timed if holder_of(name) in set(holders)]):
            connection.execute(sa.delete(TRACE_RUNS).where(TRACE_RUNS.c.trace_id.in_(chunk)))
    for chunk in _chunks(change.gone_runs):
        connection.execute(sa.delete(RUNS).where(RUNS.c.run_id.in_(chunk)))
    if change.mentions is not None:
        _forget_names(connection, change.mentions)
    for chunk in _chunks(change.gone_holds):
        said_nothing = {"selector": "{}", "reason": _ERASED, "release_reason": _ERASED}
        connection.execute(sa.update(HOLDS).where(HOLDS.c.id.in_(chunk), HOLDS.c.released_ns.is_not(None)).values(said_nothing))


def _forget_before(connection: sa.Connection, oldest_ns: int) -> None:
    """Take out of the catalog what it knows of runs and traces of which nothing is left."""
    connection.execute(sa.delete(RUNS).where(RUNS.c.last_ns < oldest_ns))
    runs = sa.select(RUNS.c.run_id)
    connection.execute(sa.delete(TRACE_RUNS).where(TRACE_RUNS.c.run_id.not_in(runs), TRACE_RUNS.c.trace_id.not_in(runs)))
    unknown = sa.and_(JOINS.c.trace_id.not_in(runs), JOINS.c.trace_id.not_in(sa.select(TRACE_RUNS.c.trace_id)))
    connection.execute(sa.delete(JOINS).where(JOINS.c.ns < oldest_ns, unknown))


def _forget_names(connection: sa.Connection, mentions: Callable[[str], bool]) -> None:
    """Delete what names whom the order is about, in any column."""
    for table, columns in ((JOINS, ("trace_id", "key")), (TRACE_RUNS, ("trace_id", "run_id")), (RUNS, ("run_id",))):
        keys = list(table.primary_key)
        for row in connection.execute(sa.select(table)).mappings().all():
            if any(row[column] and mentions(row[column]) for column in columns):
                connection.execute(sa.delete(table).where(*(key == row[key.name] for key in keys)))


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
