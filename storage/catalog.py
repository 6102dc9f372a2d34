"""The catalog: which files are the lake, what was sealed, and which run a trace belongs to. SQLite in WAL mode, SQLAlchemy Core.

Several processes commit (sealer, compactor, commands) and any number read while they do. Every change is one `BEGIN IMMEDIATE`
transaction with `synchronous=FULL`, so a commit that returned survives a power loss, and `version` grows by one with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage import catalog_log, deliveries
from storage.catalog_connection import CatalogConnection
from storage.catalog_tables import DELIVERIES, ENTRIES, FILES, JOINS, META, RUNS, TRACE_RUNS
from storage.errors import StorageError
from storage.layout import LEVELS, Delivery, EntryRecord, FileRecord, JoinRecord, LogRecord

__all__ = ["Catalog", "EntryRecord", "FileRecord", "JoinRecord"]

_CHUNK: Final = 500  # values in one IN (…)


class Catalog(CatalogConnection):
    """One process's connection to `<data>/catalog.sqlite`; may be used from several threads. Every method raises `StorageError`."""

    # sealing

    def commit_entry(
        self,
        entry: EntryRecord,
        files: Sequence[FileRecord],
        *,
        runs: Mapping[str, tuple[int, int]],
        trace_runs: Mapping[str, str | None],
        joins: Sequence[JoinRecord] = (),
        withdrawn: Sequence[JoinRecord] = (),
        log: Sequence[LogRecord] = (),
    ) -> None:
        """Enter a sealed segment with its files, in one transaction; an entry that is there already changes nothing.

        `runs`: run id → first and last unix ns of its rows here. `trace_runs`: trace id → run id, the newest wins; None takes
        a trace out again. `joins`: what traces share; `withdrawn`: what they were taken to share before their records were read again.
        `log`: what the ledger's logs say of it.
        """
        with self._transaction("commit an entry") as connection:
            values = asdict(entry) | {"descriptor": orjson.dumps(entry.descriptor).decode()}
            added = connection.execute(insert(ENTRIES).values(values).on_conflict_do_nothing())
            if not added.rowcount:
                connection.rollback()
                return
            _insert_all(connection, insert(FILES), [asdict(file) for file in files])
            _upsert_runs(connection, runs)
            _map_traces(connection, trace_runs)
            _keep_joins(connection, joins)
            for join in withdrawn:
                connection.execute(sa.delete(JOINS).where(JOINS.c.trace_id == join.trace_id, JOINS.c.key == join.key))
            catalog_log.append(connection, log)

    def settle_copies(self, origin: str, entry: int, batches: Sequence[tuple[str, int]]) -> list[bool]:
        """Return of each batch (digest, receive time) of an entry whether the lake has its request already (`storage.deliveries`).

        The answer is durable before it is returned, and the same whenever the entry is asked for again.
        """
        if not batches:
            return []
        with self._reporting("settle which copy of a request counts"), self._begin_immediate() as connection:
            return deliveries.settle(connection, origin, entry, batches)

    def has_entry(self, origin: str, entry: int) -> bool:
        """True when the segment was committed: its files stand, so it must not be published again."""
        return self._scalar(sa.select(ENTRIES.c.entry).where(ENTRIES.c.origin == origin, ENTRIES.c.entry == entry)) is not None

    def last_entry(self, origin: str) -> int | None:
        """The highest committed entry of an origin."""
        highest = self._scalar(sa.select(sa.func.max(ENTRIES.c.entry)).where(ENTRIES.c.origin == origin))
        return None if highest is None else int(highest)

    def entries(self, origin: str | None = None, *, first: int = -(2**63), last: int = 2**63 - 1) -> list[EntryRecord]:
        """The committed entries from number `first` to `last`, by origin and number."""
        query = sa.select(ENTRIES).where(ENTRIES.c.entry.between(first, last)).order_by(ENTRIES.c.origin, ENTRIES.c.entry)
        rows = self._rows(query if origin is None else query.where(ENTRIES.c.origin == origin))
        return [EntryRecord(**{**row, "descriptor": orjson.loads(row["descriptor"])}) for row in rows]

    def recent_batches(self, origin: str | None, since_ns: int) -> dict[str, Delivery]:
        """Digests of the batches that an origin (None: any) received at `since_ns` or later, and where that is which came last."""
        query = sa.select(DELIVERIES).where(DELIVERIES.c.received_ns >= since_ns)
        query = query if origin is None else query.where(DELIVERIES.c.origin == origin)
        rows = self._rows(query.order_by(DELIVERIES.c.received_ns))
        return {row["digest"]: Delivery(row["origin"], row["entry"], row["received_ns"]) for row in rows}

    def newest_batch_ns(self) -> int:
        """When the newest batch that is remembered was received; 0 when none is."""
        return int(self._scalar(sa.select(sa.func.max(DELIVERIES.c.received_ns))) or 0)

    # what the ledger's logs hold

    def append_log(self, log: Sequence[LogRecord]) -> None:
        """Append entries to the logs of their origins, all or none."""
        with self._transaction("append to the log") as connection:
            catalog_log.append(connection, log)

    def empty_log(self, origin: str, first: int, below: int) -> None:
        """Forget what the segments from index `first` to under `below` of a log say, which the log itself has durably."""
        with self._reporting("tidy up the log"), self._begin_immediate() as connection:
            catalog_log.empty(connection, origin, first, below)

    def log_sizes(self) -> dict[str, int]:
        """How many entries the log of each origin has."""
        with self._reading() as connection:
            return catalog_log.sizes(connection)

    def log_records(self, origin: str, first: int, count: int) -> list[LogRecord]:
        """At most `count` entries of an origin's log, from index `first` on."""
        with self._reading() as connection:
            return catalog_log.records(connection, origin, first, count)

    def newest_in_log(self, origin: str, kind: str, below: int) -> LogRecord | None:
        """The last entry of a kind, of those that are no segment, among the first `below` of an origin's log."""
        with self._reading() as connection:
            return catalog_log.newest(connection, origin, kind, below)

    def log_index(self, origin: str, entry: int) -> int | None:
        """Where in its origin's log a segment stands; None for one that was sealed before there was a log."""
        with self._reading() as connection:
            return catalog_log.index_of(connection, origin, entry)

    # files

    def live_files(self, table: str | None = None, *, from_ns: int | None = None, to_ns: int | None = None) -> list[FileRecord]:
        """The files to read, by date, origin and entry: not retired, not damaged, and perhaps with rows in [from_ns, to_ns]."""
        query = sa.select(FILES).where(FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None))
        if table is not None:
            query = query.where(FILES.c.table_name == table)
        if from_ns is not None:
            query = query.where(FILES.c.max_ns >= from_ns)
        if to_ns is not None:
            query = query.where(FILES.c.min_ns <= to_ns)
        return self._files(query)

    def mergeable_files(self, smaller_than_bytes: int) -> list[FileRecord]:
        """The live files that compaction may still merge: few, however old the lake is."""
        live = sa.and_(FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None))
        return self._files(sa.select(FILES).where(live, FILES.c.level < len(LEVELS) - 1, FILES.c.bytes < smaller_than_bytes))

    def retired_files(self, before_ns: int | None = None) -> list[FileRecord]:
        """The files that compaction replaced (before `before_ns`) and that are not deleted yet."""
        query = sa.select(FILES).where(FILES.c.retired_ns.is_not(None))
        return self._files(query if before_ns is None else query.where(FILES.c.retired_ns < before_ns))

    def paths(self) -> set[str]:
        """The paths of all files that the catalog knows: live, retired and damaged ones."""
        return {row["path"] for row in self._rows(sa.select(FILES.c.path))}

    def damaged_files(self) -> list[FileRecord]:
        """The files that are set aside because they are not what was written."""
        return self._files(sa.select(FILES).where(FILES.c.damaged.is_not(None)))

    def swap(self, inputs: Sequence[FileRecord], output: FileRecord, *, now_ns: int) -> None:
        """Retire `inputs` and make `output` live, in one transaction. Raises when an input is no longer live: nothing changed then."""
        with self._transaction("swap compacted files") as connection:
            live = sa.and_(FILES.c.retired_ns.is_(None), FILES.c.damaged.is_(None))
            retired = 0
            for paths in _chunks([file.path for file in inputs]):
                retired += connection.execute(sa.update(FILES).where(FILES.c.path.in_(paths), live).values(retired_ns=now_ns)).rowcount
            if retired != len(inputs):
                raise StorageError("swap compacted files", output.path, hint="another process changed its inputs: it is planned again")
            connection.execute(insert(FILES).values(asdict(output)))

    def mark_damaged(self, path: str, reason: str) -> None:
        """Set a file aside: no longer live, never compacted, never deleted."""
        with self._transaction("set a damaged file aside") as connection:
            connection.execute(sa.update(FILES).where(FILES.c.path == path).values(damaged=reason))

    def forget(self, paths: Sequence[str]) -> None:
        """Remove retired files that were deleted from the disk."""
        with self._transaction("forget retired files") as connection:
            for chunk in _chunks(paths):
                connection.execute(sa.delete(FILES).where(FILES.c.path.in_(chunk), FILES.c.retired_ns.is_not(None)))

    # runs

    def run_span(self, run_id: str) -> tuple[int, int] | None:
        """First and last unix ns of a run's rows: which files can hold it."""
        rows = self._rows(sa.select(RUNS.c.first_ns, RUNS.c.last_ns).where(RUNS.c.run_id == run_id))
        return (rows[0]["first_ns"], rows[0]["last_ns"]) if rows else None

    def trace_runs(self) -> dict[str, str]:
        """Every trace that joined a run of another name."""
        return {row["trace_id"]: row["run_id"] for row in self._rows(sa.select(TRACE_RUNS).where(TRACE_RUNS.c.run_id.is_not(None)))}

    def traces_of_run(self, run_id: str) -> list[str]:
        """The traces that joined a run, in order; its own is among them when another one joined it."""
        query = sa.select(TRACE_RUNS.c.trace_id).where(TRACE_RUNS.c.run_id == run_id).order_by(TRACE_RUNS.c.trace_id)
        return [row["trace_id"] for row in self._rows(query)]

    def run_of_traces(self, trace_ids: Sequence[str]) -> dict[str, str]:
        """The same for these traces only."""
        found: dict[str, str] = {}
        for chunk in _chunks(trace_ids):
            known = sa.and_(TRACE_RUNS.c.trace_id.in_(chunk), TRACE_RUNS.c.run_id.is_not(None))
            found.update((row["trace_id"], row["run_id"]) for row in self._rows(sa.select(TRACE_RUNS).where(known)))
        return found

    def run_spans(self, run_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """First and last unix ns of each of these runs that is known."""
        found: dict[str, tuple[int, int]] = {}
        for chunk in _chunks(run_ids):
            rows = self._rows(sa.select(RUNS).where(RUNS.c.run_id.in_(chunk)))
            found.update((row["run_id"], (row["first_ns"], row["last_ns"])) for row in rows)
        return found

    def joins(self, *, traces: Sequence[str] = (), keys: Sequence[str] = ()) -> list[JoinRecord]:
        """What these traces stated, and which traces stated these keys."""
        rows: list[dict[str, Any]] = []
        for chunk in _chunks(traces):
            rows += self._rows(sa.select(JOINS).where(JOINS.c.trace_id.in_(chunk)))
        for chunk in _chunks(keys):
            rows += self._rows(sa.select(JOINS).where(JOINS.c.key.in_(chunk)))
        return [JoinRecord(**row) for row in rows]

    # for the modules of storage that keep tables of their own in it

    def changing(self, attempted: str) -> AbstractContextManager[sa.Connection]:
        """One transaction that writes; `attempted` names it in the `StorageError` of a failure."""
        return self._transaction(attempted)

    def read(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        """The rows of a query."""
        return self._rows(query)

    def wipe(self) -> bool:
        """Leave no trace of what was deleted in the file; false while a reader holds on to what was there before: call again then."""
        with self._reporting("wipe what was deleted"), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

    def _files(self, query: sa.Select[Any]) -> list[FileRecord]:
        ordered = query.order_by(FILES.c.date, FILES.c.origin, FILES.c.min_entry, FILES.c.path)
        return [FileRecord(**row) for row in self._rows(ordered)]


def _insert_all(connection: sa.Connection, statement: sa.Insert, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _upsert_runs(connection: sa.Connection, runs: Mapping[str, tuple[int, int]]) -> None:
    statement = insert(RUNS)
    widened = {
        "first_ns": sa.func.min(RUNS.c.first_ns, statement.excluded.first_ns),
        "last_ns": sa.func.max(RUNS.c.last_ns, statement.excluded.last_ns),
    }
    rows = [{"run_id": run, "first_ns": first, "last_ns": last} for run, (first, last) in runs.items()]
    _insert_all(connection, statement.on_conflict_do_update(index_elements=["run_id"], set_=widened), rows)


def _map_traces(connection: sa.Connection, trace_runs: Mapping[str, str | None]) -> None:
    version = sa.select(META.c.value + 1).where(META.c.key == "version").scalar_subquery()
    statement = insert(TRACE_RUNS).values(trace_id=sa.bindparam("trace_id"), run_id=sa.bindparam("run_id"), changed=version)
    newest = statement.on_conflict_do_update(
        index_elements=["trace_id"],
        set_={"run_id": statement.excluded.run_id, "changed": statement.excluded.changed},
        where=TRACE_RUNS.c.run_id.is_distinct_from(statement.excluded.run_id),
    )
    _insert_all(connection, newest, [{"trace_id": trace, "run_id": run} for trace, run in trace_runs.items() if run is not None])
    for chunk in _chunks([trace for trace, run in trace_runs.items() if run is None]):
        joined = sa.and_(TRACE_RUNS.c.trace_id.in_(chunk), TRACE_RUNS.c.run_id.is_not(None))
        connection.execute(sa.update(TRACE_RUNS).where(joined).values(run_id=None, changed=version))


def _keep_joins(connection: sa.Connection, joins: Sequence[JoinRecord]) -> None:
    statement = insert(JOINS)
    earliest = {"ns": sa.func.min(JOINS.c.ns, statement.excluded.ns)}
    statement = statement.on_conflict_do_update(index_elements=["trace_id", "key"], set_=earliest)
    _insert_all(connection, statement, [asdict(join) for join in joins])


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
