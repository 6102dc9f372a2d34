"""One run out of the lake, whatever its size: its traces are copied out once, and the views then read only the copy.

A run's rows are found by their ids (Bloom filters and statistics skip the rest), in the files of its time. Views cannot do that, as
the final run id is made of two columns. The copy holds whole traces: a step whose parent belongs to another run has a parent. It
stands in temporary tables of one cursor: nobody else sees it, and it goes with the cursor. Planning is most of what reading one run
costs, so what its rows cannot need is left out of the views (`composition.ONLY_WITH`), and what several questions need is made once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import duckdb
import orjson

from storage import composition, engine
from storage.layout import holder_of
from storage.views import qualified, query_sql

if TYPE_CHECKING:
    from storage.lake import Lake, Window

_MARGIN_NS: Final = 3600 * 1_000_000_000
"""Around the run's own time: a parent that is not of the run may begin before it."""
_COPIED: Final = frozenset({"_span_rows", "_event_rows", "_trace_runs"})
_MADE: Final = ("_repeated_steps", "_uncounted", "_counted_steps")
"""What several views read: made once, each after those that it reads."""
_EMPTY: Final = {
    "_repeated_steps": "(record_key UBIGINT)",
    "_uncounted": "(record_key UBIGINT, origin VARCHAR, entry BIGINT, entry_row BIGINT, retried BOOLEAN)",
}
"""The columns of those of them that can be left out."""
_TABLES: Final = _COPIED.union(_MADE)


class Excerpt:
    """A run's traces under every view. `run_id` is the final one, `duplicates` the number of records that were sent again and left out."""

    def __init__(self, run_id: str, cursor: duckdb.DuckDBPyConnection) -> None:
        """`cursor` has the tables of `_COPIED`."""
        self.run_id = run_id
        self._cursor = cursor
        traits = self._traits()
        self.duplicates = int(traits["resent_spans"] + traits["resent_events"])
        for kind in ("spans", "events"):
            if traits[f"resent_{kind}"]:
                cursor.execute(query_sql(f"drop_resent_{kind}"))
        self._without = frozenset(view for view in composition.ONLY_WITH if not traits[view])
        empty = self._without if traits["doubtful"] else {*self._without, "_uncounted"}
        for place, view in enumerate(_MADE):
            whole = f"SELECT * FROM {qualified(view)}"  # noqa: S608  # nosec B608 - a view's name
            made = composition.composed(whole, _COPIED.union(_MADE[:place]), self._without)
            cursor.execute(f"CREATE TEMP TABLE {view[1:]} " + (_EMPTY[view] if view in empty else f"AS {made}"))

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a named query whose only parameter, if any, is `run_id`; times are naive UTC, maps dictionaries."""
        return self._rows(query_sql(name))

    def steps(self) -> list[dict[str, Any]]:
        """Return the rows of `run_steps`, of which DuckDB gives the attributes as JSON: a third of the time that its maps take."""
        rows = self.named("run_steps")
        for row in rows:
            if row["attributes"] is not None:
                row["attributes"] = orjson.loads(row["attributes"])
        return rows

    def tuples(self, name: str) -> list[tuple[Any, ...]]:
        """Return the rows of a named query without parameters."""
        self._cursor.execute(composition.composed(query_sql(name), _TABLES, self._without))
        return self._cursor.fetchall()

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the run's rows of a view."""
        return self._rows(f"SELECT * FROM {qualified(name)} WHERE run_id = $run_id")  # noqa: S608  # nosec B608 - a view's name

    def _rows(self, text: str) -> list[dict[str, Any]]:
        composed = composition.composed(text, _TABLES, self._without)
        self._cursor.execute(composed, {"run_id": self.run_id} if "$run_id" in text else None)
        names = [column[0] for column in self._cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

    def _traits(self) -> dict[str, Any]:
        only_with = ", ".join(f"{condition} AS {view}" for view, condition in composition.ONLY_WITH.items())
        self._cursor.execute(query_sql("excerpt_traits").format(only_with=only_with))
        return dict(zip([column[0] for column in self._cursor.description or ()], self._cursor.fetchall()[0], strict=True))


@contextmanager
def excerpt(lake: "Lake", run_id: str) -> Iterator[Excerpt]:
    """Copy a run's traces out for as long as the context lasts; `run_id` may also be a trace that joined a run of another name.

    Raises `StorageError`.
    """
    final = lake.catalog.run_of_traces([run_id]).get(run_id, run_id)
    joined = lake.catalog.traces_of_run(final)
    shared = sorted({holder for name in joined if (holder := holder_of(name)) is not None})
    names = [final, *(name for name in joined if holder_of(name) is None), *shared]
    window = _window(lake, names)
    named = {trace for (trace,) in lake.few("run_traces", window, {"run_ids": names})}
    traces = sorted({*names[1:], *named} - {None})
    params = {"trace_ids": traces, "run_ids": names}
    queries = {"span_rows": ["trace_spans"], "event_rows": ["trace_events", *(["untraced_events"] if None in named else [])]}

    def copy(cursor: duckdb.DuckDBPyConnection) -> None:
        for table, parts in queries.items():
            text = " UNION ALL ".join(query_sql(part) for part in parts)
            used = {name: value for name, value in params.items() if f"${name}" in text}
            cursor.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {text}", used)

    with lake.holding(copy, " ".join(f"internal.{table}" for table in queries), _widened(lake, window, traces)) as cursor:
        try:
            _map_traces(cursor, lake.catalog.run_of_traces(traces), shared)
            yield Excerpt(final, cursor)
        except duckdb.Error as error:
            raise engine.explained(error, lake.data) from error


def _map_traces(cursor: duckdb.DuckDBPyConnection, runs: Mapping[str, str], shared: Sequence[str]) -> None:
    """`shared` are names of records without a trace that are of several runs: their rows are those of the lake."""
    cursor.execute(f"CREATE TEMP TABLE trace_runs ({engine.TRACE_RUNS})")
    if runs:
        pairs = {trace: run for trace, run in runs.items() if trace not in shared}
        lists = {"traces": list(pairs), "runs": list(pairs.values())}
        cursor.execute("INSERT INTO temp.trace_runs (trace_id, run_id) SELECT unnest($traces), unnest($runs)", lists)
    if shared:
        query = "INSERT INTO temp.trace_runs SELECT * FROM internal.trace_runs WHERE list_contains($shared, trace_id)"
        cursor.execute(query, {"shared": list(shared)})


def _window(lake: "Lake", names: Sequence[str]) -> "Window":
    """The time in which the first of these names can have rows; open when the catalog does not know it for all of the others."""
    known = lake.catalog.run_spans(names)
    if not known or len(known) < len(names) - 1:
        return (None, None)
    return min(first for first, _ in known.values()) - _MARGIN_NS, max(last for _, last in known.values()) + _MARGIN_NS


def _widened(lake: "Lake", window: "Window", traces: Sequence[str]) -> "Window":
    """The same with the other runs of these traces: the parent of a step may have begun long before the run."""
    if window[0] is None or window[1] is None:
        return window
    spans = list(lake.catalog.run_spans(traces).values())
    return (
        min([window[0], *(first - _MARGIN_NS for first, _ in spans)]), max([window[1], *(last + _MARGIN_NS for _, last in spans)])
    )  # fmt: skip
