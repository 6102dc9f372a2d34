"""One run out of the lake, whatever its size: its traces are copied out once, and the views then read only the copy.

A run's rows are found by their ids (Bloom filters and statistics skip the rest), in the files of its time. Views cannot do that, as
the final run id is made of two columns. The copy holds whole traces: a step whose parent belongs to another run has a parent. It
stands in the tables of a DuckDB instance of its own, in a transaction that is never committed: nobody else sees it, and it leaves
nothing behind. Tables are also quicker to plan over than files, and planning is most of what reading one run costs.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from storage import engine
from storage.resent import without_resent
from storage.views import needed, qualified, query_sql

if TYPE_CHECKING:
    from storage.lake import Lake, Window

_MARGIN_NS: Final = 3600 * 1_000_000_000
"""Around the run's own time: a parent that is not of the run may begin before it."""


class ExcerptTables:
    """The instance that excerpts are read in; made when it is first needed. May be used from several threads."""

    def __init__(self, folder: Path, limits: engine.Limits) -> None:
        """`folder` is the lake's own: `engine.connect` put the empty files there that give the tables their columns."""
        self._folder = folder
        self._limits = limits
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._defined: set[str] = set()  # views that readers have asked for, besides those of `engine.connect_tables`

    @contextmanager
    def holding(
        self, rows: Iterable[tuple[str, pa.Table]], moment: Mapping[str, Any], views: str = ""
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor whose views read these rows, by table of `engine.fill`; `moment` is the time that runs are judged at.

        `views` names those that are read besides `runs` and what it is made of.
        """
        cursor = self._cursor(views)
        try:
            cursor.execute("SET VARIABLE lake = $value", {"value": moment})
            cursor.execute("BEGIN")
            for table, some in rows:
                engine.insert(cursor, table, some)
            engine.count_steps(cursor)
            yield cursor
        except (duckdb.FatalException, duckdb.InternalException):
            self.close()  # this instance is of no more use: the next excerpt makes another
            raise
        finally:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            cursor.close()

    def close(self) -> None:
        """Give the instance back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _cursor(self, views: str) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = engine.connect_tables(self._folder, self._limits)
                self._defined = set(needed("runs"))
            if missing := [view for view in needed(views) if view not in self._defined]:
                engine.define(self._connection, missing, self._folder)
                self._defined.update(missing)
            return self._connection.cursor()


class Excerpt:
    """A run's traces under the view `runs` and those that it is made of. `run_id` is the final one."""

    def __init__(self, run_id: str, cursor: duckdb.DuckDBPyConnection, duplicates: int = 0) -> None:
        self.run_id = run_id
        self.duplicates = duplicates
        """Records that came more than once and were left out."""
        self._cursor = cursor

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a named query whose only parameter, if any, is `run_id`; times are naive UTC, maps dictionaries."""
        text = query_sql(name)
        self._cursor.execute(text, {"run_id": self.run_id} if "$run_id" in text else None)
        return self._rows()

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the run's rows of a view that `excerpt` was told of."""
        self._cursor.execute(f"SELECT * FROM {qualified(name)} WHERE run_id = $run_id", {"run_id": self.run_id})  # noqa: S608 - a view's name
        return self._rows()

    def _rows(self) -> list[dict[str, Any]]:
        names = [column[0] for column in self._cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]


@contextmanager
def excerpt(lake: "Lake", run_id: str, *, views: str = "") -> Iterator[Excerpt]:
    """Copy a run's traces out for as long as the context lasts; `run_id` may also be a trace that joined a run of another name.

    `views` names those that are read besides `runs` and what it is made of.
    Raises `StorageError`.
    """
    final = lake.catalog.run_of_traces([run_id]).get(run_id, run_id)
    joined = lake.catalog.traces_of_run(final)
    copied, others = _rows_of(lake, final, joined)
    whole = [(table, without_resent("spans" if table == "span_rows" else "events", rows)) for table, rows in copied]
    duplicates = sum(rows.num_rows for _, rows in copied) - sum(rows.num_rows for _, rows in whole)
    if others:
        whole.append(("trace_runs", pa.table({"trace_id": list(others), "run_id": list(others.values())})))
    try:
        with lake.excerpts.holding(whole, lake.moment(), views) as cursor:
            yield Excerpt(final, cursor, duplicates)
    except duckdb.Error as error:
        raise engine.explained(error, lake.data) from error


def _rows_of(lake: "Lake", run_id: str, joined: Sequence[str]) -> tuple[list[tuple[str, pa.Table]], dict[str, str]]:
    """The rows of a run's traces, by table of `engine.fill`, and which of those traces joined a run of another name."""
    from_ns, to_ns = _window(lake, [run_id, *joined])
    named = set(lake.named("run_traces", from_ns=from_ns, to_ns=to_ns, run_ids=[run_id, *joined]).column("trace_id").to_pylist())
    traces = sorted({*joined, *named} - {None})
    if from_ns is not None and to_ns is not None:  # other runs of these traces: a parent may have begun long before the run
        spans = lake.catalog.run_spans(traces).values()
        from_ns = min([from_ns, *(first - _MARGIN_NS for first, _ in spans)])
        to_ns = max([to_ns, *(last + _MARGIN_NS for _, last in spans)])
    files = {"from_ns": from_ns, "to_ns": to_ns}
    found = [("span_rows", lake.named("trace_spans", **files, trace_ids=traces))]
    found.append(("event_rows", lake.named("trace_events", **files, trace_ids=traces)))
    if None in named:
        found.append(("event_rows", lake.named("untraced_events", **files, run_ids=[run_id, *joined])))
    return found, lake.catalog.run_of_traces(traces)


def _window(lake: "Lake", names: Sequence[str]) -> "Window":
    """The time in which the first of these names can have rows; open when the catalog does not know it for all of the others."""
    known = lake.catalog.run_spans(names)
    if not known or len(known) < len(names) - 1:
        return (None, None)
    return min(first for first, _ in known.values()) - _MARGIN_NS, max(last for _, last in known.values()) + _MARGIN_NS
