"""Reading the lake: DuckDB over the files that the catalog lists, with the views of `storage/sql/views`.

Works while a collector writes, from any process, and without one. The files are an explicit list, never a glob: the catalog says
which count, and a file that compaction moved under a running query is found again (`storage.live_files`). A damaged file does
not make the rest unreadable: it is left out, and said so in `Lake.damaged` and a warning in the log; readers show it.
"""

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import duckdb
import pyarrow as pa

from storage import composition, engine, sandbox
from storage.catalog import Catalog
from storage.catalog_rows import CatalogRows
from storage.damage import Damage, can_mean_damage
from storage.errors import about
from storage.live_files import LiveFiles, Selection, Window
from storage.views import DERIVED, STORED, needed, query_sql

ABANDONED_AFTER_SECONDS: Final = 15 * 60
ATTEMPTS: Final = 20  # of which `LOOKS` may fail on files that are in the lake still: others were merged meanwhile
LOOKS: Final = 3
_BEGINNING: Final = -(2**63)
_END: Final = 2**63 - 1
_DEADLINE_SECONDS: Final = 60.0

Answer = TypeVar("Answer")
Read = Callable[[duckdb.DuckDBPyConnection, Mapping[str, Any]], Answer]
"""What is done on a cursor; it is also told the value of the cursor's variable `lake`."""


class Reads(Enum):
    """What a query reads."""

    VIEWS = auto()  # which are defined for it
    INLINE = auto()  # nothing but rows as stored: what it reads is in its text
    NARROW = auto()  # of those, columns that it names: a file without one of them is an error that tells of older files


class Lake:
    """One reader of a data directory; may be used from several threads. Close it, or use it as a context manager."""

    def __init__(self, data: Path, catalog: Catalog, limits: engine.Limits, *, clock: Callable[[], int], silence: float) -> None:
        self.data = data
        self._catalog = catalog
        self._clock = clock
        self._silence_seconds = silence
        self._limits = limits
        self._lock = threading.RLock()
        self.scratch = Path(tempfile.mkdtemp(prefix="auditlake-lake-"))
        self._remove_scratch = weakref.finalize(self, shutil.rmtree, self.scratch, ignore_errors=True)
        self._files = LiveFiles(data, catalog)
        self._mapped_version = -1  # of the map of traces to runs in `internal.trace_runs`
        self._older_files = False  # some file lacks a column that was added since
        self._rows = CatalogRows(catalog.path)
        self._connecting = self._connect()
        self._defined: set[str] = set()  # the views that queries have asked for so far
        self._derived = False  # rows were read again: the views of rows look for that

    @classmethod
    def open(
        cls,
        data: Path,
        *,
        memory_limit_mib: int = 512,
        threads: int = 2,
        clock: Callable[[], int] = time.time_ns,
        abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS,
    ) -> Self:
        """Open the lake of a data directory for reading. Raises `StorageError` with the remedy when there is none.

        `clock` (unix ns) and `abandoned_after_seconds` decide when a run without an end counts as abandoned.
        """
        catalog = Catalog.open(data, read_only=True)
        limits = engine.Limits(memory_mib=memory_limit_mib, threads=threads)
        return cls(data, catalog, limits, clock=clock, silence=abandoned_after_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give connections and temporary files back; queries that still run are interrupted."""
        if self._connecting.exception() is None:
            self._connection.close()
        self._rows.close()
        self._catalog.close()
        self._remove_scratch()

    @property
    def version(self) -> int:
        """The catalog's version at this moment: equal versions mean equal answers (but for the running age of runs)."""
        return self._catalog.version

    @property
    def catalog(self) -> Catalog:
        """The catalog, read-only."""
        return self._catalog

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """The files that are left out of every answer because they are not what was written: set aside earlier or found by us."""
        return self._files.damaged

    def moment(self) -> dict[str, Any]:
        """What decides whether a run that has not ended is running or abandoned: `now` and `silence_seconds`."""
        now = datetime.fromtimestamp(self._clock() / 1e9, UTC).replace(tzinfo=None)
        return {"now": now, "silence_seconds": self._silence_seconds}

    def run_ids(self, prefix: str, *, limit: int) -> list[str]:
        """Return the ids of at most `limit` runs that begin with `prefix`. Raises `StorageError`."""
        with self._lock:
            names = self._rows.run_ids(prefix, limit)
        final = self._catalog.run_of_traces(names)
        return list(dict.fromkeys(final.get(name, name) for name in names))

    def sql(
        self,
        text: str,
        params: Mapping[str, Any] | None = None,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        rows: Window = (None, None),
    ) -> pa.Table:
        """Run trusted SQL over the views and return its rows; `params` fill `$name`, those that it does not use are ignored.

        `from_ns` and `to_ns` (unix ns, both inclusive) leave out files that have no row in between; rows outside may remain.
        `rows` leaves out all spans and log records that begin outside of it. Raises `StorageError`.
        """

        def read(cursor: duckdb.DuckDBPyConnection, _: object) -> pa.Table:
            names = cursor.extract_statements(text)[0].named_parameters
            used = {name: value for name, value in (params or {}).items() if name in names}
            return sandbox.with_integers(engine.table_of(cursor, text, used))

        return self._read(read, text, (from_ns, to_ns), rows)

    def few(self, name: str, window: Window, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a named query of few rows over rows as stored, with exactly its parameters, and return them. Raises `StorageError`.

        Quicker than a table, and than views, which are not defined for it. It names the columns that it returns.
        """
        text = query_sql(name)

        def read(cursor: duckdb.DuckDBPyConnection, said: Mapping[str, Any]) -> list[tuple[Any, ...]]:
            return cursor.execute(self._whole(text, said, narrow=True), dict(params)).fetchall()

        return self._read(read, text, window, reads=Reads.NARROW)

    def stored(self, queries: Mapping[str, str], params: Mapping[str, Any], window: Window) -> dict[str, pa.Table]:
        """Return by name what queries over rows as stored find in the files of `window`, all in one state of the lake.

        A query names the columns that it returns, and has those of `params` that stand in it. Raises `StorageError`.
        """

        def read(cursor: duckdb.DuckDBPyConnection, said: Mapping[str, Any]) -> dict[str, pa.Table]:
            found = {}
            with sandbox.deadline(cursor, _DEADLINE_SECONDS):
                for name, text in queries.items():
                    found[name] = engine.table_of(cursor, self._whole(text, said, narrow=True), _used(params, text))
            return found

        return self._read(read, " ".join(queries.values()), window, reads=Reads.NARROW)

    def named(self, name: str, *, from_ns: int | None = None, to_ns: int | None = None, **params: Any) -> pa.Table:
        """Run `storage/sql/queries/<name>.sql`; see `sql`."""
        return self.sql(query_sql(name), params, from_ns=from_ns, to_ns=to_ns)

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_rows: int = 100_000,
        from_ns: int | None = None,
        to_ns: int | None = None,
        rows: Window = (None, None),
    ) -> pa.Table:
        """Run a user's SQL, exactly one SELECT over the views, and return at most `max_rows` rows (see `sandbox.truncated_at`).

        `from_ns` and `to_ns` leave out files, `rows` leaves out rows, as in `sql`. Raises `QueryRefused` when it is anything else or DuckDB
        does not understand it, `StorageError` when it takes too much.
        """
        checked = sandbox.check(text)

        def read(cursor: duckdb.DuckDBPyConnection, _: object) -> pa.Table:
            return sandbox.run(cursor, checked, params, timeout_seconds=timeout_seconds, max_rows=max_rows)

        return self._read(read, text, (from_ns, to_ns), rows)

    def together(
        self,
        texts: Mapping[str, str],
        *,
        shared: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        from_ns: int | None = None,
        to_ns: int | None = None,
        rows: Window = (None, None),
    ) -> dict[str, pa.Table]:
        """Run several users' SELECTs, by name, on one state of the lake; views of `shared` are computed once for all of them.

        As `query`, whose errors name the text here; each has `timeout_seconds` of its own. `rows` is that of `sql`.
        """

        def read(cursor: duckdb.DuckDBPyConnection, _: object) -> dict[str, pa.Table]:
            for view in shared:  # the table stands before the view of its name, also within other views
                cursor.execute(f"CREATE TEMP TABLE {view} AS SELECT * FROM {view}")  # noqa: S608  # nosec B608 - a view's name
            answers = {}
            for name, text in texts.items():
                with about(name):
                    checked = sandbox.check(text)
                    answers[name] = sandbox.run(cursor, checked, params, timeout_seconds=timeout_seconds, max_rows=100_000)
            return answers

        return self._read(read, " ".join([*texts.values(), *shared]), (from_ns, to_ns), rows)

    def remember(self, recordings: pa.Table, *, since: datetime) -> None:
        """Show rows (`early.RECORDINGS`) in the view `recordings`, beside those of files and of earlier calls that are not before `since`.

        So a rule reads what was recorded a moment ago, before it is sealed.
        """
        with self._lock:
            engine.fill(self._connection, "recordings", recordings)
            self._connection.execute("DELETE FROM internal.recordings WHERE time < $since", {"since": since})

    @contextmanager
    def holding(
        self,
        tables: Mapping[str, str],
        params: Mapping[str, Any],
        window: Window,
        *,
        rows: Window = (None, None),
        timeout_seconds: float = _DEADLINE_SECONDS,
        narrow: bool = False,
        mapped: bool = True,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor with temporary tables of these names, each made of the files of `window` by its query, within the time.

        A query has those of `params` that stand in it; no view is defined for it. `rows` is that of `sql`, `narrow` that of
        `composition.composed`. `mapped`: the cursor can read to which runs traces belong, of a lake with many joined traces a long
        map. Raises `StorageError` where one fails; what the body raises passes as it is.
        """

        def make(cursor: duckdb.DuckDBPyConnection, said: Mapping[str, Any]) -> None:
            with sandbox.deadline(cursor, timeout_seconds):
                for table, text in tables.items():
                    whole = self._whole(text, said, narrow=narrow)
                    cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {whole}", _used(params, text))

        reads = Reads.NARROW if narrow else Reads.INLINE
        cursor, _ = self._reading(make, " ".join(tables.values()), window, rows, reads=reads, mapped=mapped)
        try:
            yield cursor
        except (duckdb.FatalException, duckdb.InternalException):
            self._reconnect()
            raise
        finally:
            cursor.close()

    def _map_traces(self) -> None:
        """Have to which runs traces belong in `internal.trace_runs`, as new as the files that were listed last, or newer."""
        with self._lock:
            version = self._files.version
            if version != self._mapped_version:
                engine.fill(self._connection, "trace_runs", self._rows.new_trace_runs())
                self._mapped_version = version

    def _whole(self, text: str, said: Mapping[str, Any], *, narrow: bool = False) -> str:
        """Return `text` with the views that it reads, and what they read of the variable, in it: quicker to plan than to look up."""
        return composition.with_values(composition.composed(text, frozenset(), derived=self._derived, narrow=narrow), said)

    def _read(
        self,
        read: Read[Answer],
        text: str,
        window: Window,
        rows: Window = (None, None),
        *,
        reads: Reads = Reads.VIEWS,
    ) -> Answer:
        """Run `read` on a fresh cursor; again when a file that it needs was moved, is older than a column, or is damaged."""
        cursor, answer = self._reading(read, text, window, rows, reads=reads, mapped=reads is Reads.VIEWS)
        cursor.close()
        return answer

    def _reading(
        self, read: Read[Answer], text: str, window: Window, rows: Window, *, reads: Reads, mapped: bool
    ) -> tuple[duckdb.DuckDBPyConnection, Answer]:
        """The same, and the cursor that it succeeded on. `mapped`: it reads to which runs traces belong."""
        problem: duckdb.Error | None = None
        looked = 0
        for attempt in range(ATTEMPTS):
            selection = self._select(window, fresh=attempt > 0)
            if mapped:
                self._map_traces()
            cursor, said = self._prepare(selection.paths, rows, text, reads=reads)
            try:
                return cursor, read(cursor, said)
            except duckdb.Error as error:
                cursor.close()
                problem = error
                if isinstance(error, duckdb.FatalException | duckdb.InternalException):
                    self._reconnect()
                if _lacks_column(error, reads) and not self._older_files:
                    self._older_files = True
                elif not can_mean_damage(error) or looked == LOOKS:
                    break
                elif not self._files.lost(selection):
                    self._files.look_for_damage(selection, thorough=looked > 0)
                    looked += 1
            except BaseException:
                cursor.close()
                raise
        raise engine.explained(problem, self.data) from problem

    def _prepare(
        self, paths: Mapping[str, list[str]], rows: Window, text: str, *, reads: Reads
    ) -> tuple[duckdb.DuckDBPyConnection, Mapping[str, Any]]:
        if "ingest_log" in text.lower():
            self._load_entries()
        names = needed(text)
        read = {STORED[name] for name in names if name in STORED} | ({"derivations"} if self._derived else set())
        values: dict[str, Any] = {table: self._ordered(table, listed, reads) for table, listed in paths.items() if table in read}
        values |= {"from_ns": _BEGINNING if rows[0] is None else rows[0], "to_ns": _END if rows[1] is None else rows[1]}
        values |= {"by_name": self._older_files, **self.moment()}
        with self._lock:
            cursor = self._connection.cursor()
            cursor.execute("SET VARIABLE lake = $value", {"value": values})
            if missing := [name for name in names if name not in self._defined and reads is Reads.VIEWS]:
                engine.define(self._connection, missing, derived=self._derived)
                self._defined.update(missing)
        return cursor, values

    def _ordered(self, table: str, listed: list[str], reads: Reads) -> list[str]:
        """The files in the order in which DuckDB is given them: it takes names and types of columns from the first."""
        if listed and not self._older_files and (reads is Reads.NARROW or (reads is Reads.INLINE and engine.is_current(listed[-1], table))):
            return listed[::-1]
        with self._lock:
            return [engine.provide(self.scratch, table), *listed]

    def _select(self, window: Window, *, fresh: bool) -> Selection:
        with self._lock:
            if self._files.follow(fresh=fresh):
                self._follow(self._rows.has_derivations())
            return self._files.of(window)

    def _follow(self, derived: bool) -> None:
        """Have the views of rows defined again when the lake gets its first derivation, or has lost its last."""
        if derived != self._derived:
            self._derived = derived
            self._defined.difference_update(DERIVED)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._connecting.result()

    def _connect(self) -> Future[duckdb.DuckDBPyConnection]:
        """Begin to connect, which takes a while: readers ask the catalog first."""
        beside = ThreadPoolExecutor(max_workers=1)
        connecting = beside.submit(engine.connect, self.data, self.scratch, self._limits)
        beside.shutdown(wait=False)
        return connecting

    def _reconnect(self) -> None:
        with self._lock:
            self._connection.close()
            self._rows.close()
            self._rows = CatalogRows(self._catalog.path)
            self._mapped_version = -1
            self._connecting = self._connect()
            self._defined.clear()

    def _load_entries(self) -> None:
        with self._lock:
            engine.fill(self._connection, "entries", self._rows.new_entries())


def _used(params: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if f"${name}" in text}


def _lacks_column(error: duckdb.Error, reads: Reads) -> bool:
    """Whether files differ in their columns, or have not one that was asked for."""
    return "schema mismatch" in str(error) or (reads is Reads.NARROW and isinstance(error, duckdb.BinderException))
