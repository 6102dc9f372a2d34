"""One run out of the lake, whatever its size: its traces are copied out once, and all questions are asked of the copy.

A run's rows are found by their ids (Bloom filters and statistics skip the rest), in the files of its time. Views cannot do that, as
the final run id is made of two columns. The copy holds whole traces: a step whose parent belongs to another run has a parent.
Planning is most of what reading one run costs, so most runs need no view at all (`storage.plain_steps`). For the others the copy
stands in temporary tables of one cursor: nobody else sees it, and it goes with the cursor. What its rows cannot need is left out of
the views (`composition.ONLY_WITH`), what several questions need is made once, and the row of `runs` is made of the steps
(`storage.run_row`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import duckdb
import orjson

from storage import composition, early, engine
from storage.layout import holder_of
from storage.plain_steps import steps_of_run
from storage.run_row import Parents, run_row
from storage.run_traits import first_events, first_spans, views_without_rows
from storage.stored_rows import Rows, every_column
from storage.views import qualified, query_sql

if TYPE_CHECKING:
    from storage.lake import Lake
    from storage.live_files import Window

_MARGIN_NS: Final = 3600 * 1_000_000_000
"""Around the run's own time: a parent that is not of the run may begin before it."""
_COPIED: Final = frozenset({"_span_rows", "_event_rows", "_trace_runs"})
_MADE: Final = ("_repeated_steps", "_uncounted", "_counted_steps")
"""What several views read: made once, each after those that it reads."""
_TABLES: Final = _COPIED.union(_MADE)
_DOUBTS: Final = frozenset({*composition.ONLY_WITH, "_uncounted"})
"""Without these, every record is a step, and each tells something of its own."""
_DERIVED_STEPS: Final = frozenset({"_approval_steps", "_execution_steps", "_pending_steps"})
"""With these, a step is not a record: how records stand to their parents is asked of the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The traces of a run: where their rows are, and to which runs they belong."""

    run_id: str
    window: "Window"
    runs: Mapping[str, str]  # by trace
    shared: Sequence[str]  # names of records without a trace that are of several runs: which, the lake knows


class Excerpt:
    """A run's traces under every view. `run_id` is the final one, `duplicates` the number of records that were sent again and left out."""

    def __init__(self, lake: "Lake", found: _Found, spans: Rows, events: Rows, stack: ExitStack) -> None:
        """`stack` is closed when the excerpt ends."""
        self.run_id = found.run_id
        self._lake = lake
        self._found = found
        self._stack = stack
        self._made = False
        self._spans, self._events = first_spans(spans), first_events(events)
        self.duplicates = len(spans) + len(events) - len(self._spans) - len(self._events)
        self._without = views_without_rows(self._spans, self._events)

    @property
    def run(self) -> dict[str, Any] | None:
        """The run's row of the view `runs`; None where there is no such run."""
        return self._told[0]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The run's rows of `run_steps`, which the caller may change."""
        return self._told[1]

    @cached_property
    def begun(self) -> Mapping[tuple[str | None, str | None], int]:
        """When each span of the run's traces began, by trace id and span id; of several with one id the first."""
        begun: dict[tuple[str | None, str | None], int] = {}
        for trace_id, span_id, start_ns in zip(*(self._spans[name] for name in ("trace_id", "span_id", "start_ns")), strict=True):
            begun[trace_id, span_id] = min(start_ns, begun.get((trace_id, span_id), start_ns))
        return begun

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a named query whose only parameter, if any, is `run_id`; times are naive UTC, maps dictionaries."""
        return self._rows(query_sql(name))

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the run's rows of a view."""
        return self._rows(f"SELECT * FROM {qualified(name)} WHERE run_id = $run_id")  # noqa: S608  # nosec B608 - a view's name

    @cached_property
    def _told(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The row and the steps."""
        steps = self._plain() if self._without >= _DOUBTS and not self._found.shared else self._asked()
        row = run_row(self.run_id, steps, self._parents(steps), **self._lake.moment()) if steps else None
        for step in steps:
            if step.pop("repeated"):
                step["kind"] = "other"
        return row, steps

    def _plain(self) -> list[dict[str, Any]]:
        return steps_of_run(self.run_id, self._found.runs, self._spans, self._events)

    def _asked(self) -> list[dict[str, Any]]:
        """DuckDB gives attributes as JSON: a third of the time that its maps take."""
        steps = self._rows(query_sql("run_steps"), _COPIED)
        for step in steps:
            if step["attributes"] is not None:
                step["attributes"] = orjson.loads(step["attributes"])
        return steps

    def _parents(self, steps: Sequence[Mapping[str, Any]]) -> Parents:
        if self._without.issuperset(_DERIVED_STEPS):
            return Parents.of(steps, self.begun)
        found = self._rows(query_sql("run_parents"), _COPIED)
        return Parents(**found[0]) if found else Parents(orphans=0, early=0)

    def _rows(self, text: str, tables: frozenset[str] = _TABLES) -> list[dict[str, Any]]:
        if tables is _TABLES:
            self._make()
        self._cursor.execute(composition.composed(text, tables, self._without), {"run_id": self.run_id} if "$run_id" in text else None)
        names = [column[0] for column in self._cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

    def _make(self) -> None:
        for place, view in enumerate(() if self._made else _MADE):
            whole = f"SELECT * FROM {qualified(view)}"  # noqa: S608  # nosec B608 - a view's name
            made = composition.composed(whole, _COPIED.union(_MADE[:place]), self._without)
            self._cursor.execute(f"CREATE TEMP TABLE {view[1:]} AS {made}")
        self._made = True

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """One with the tables of `_COPIED`."""
        found = self._found
        cursor = self._stack.enter_context(self._lake.holding({}, {}, found.window, mapped=bool(found.shared)))
        for name, rows in (("span_rows", self._spans), ("event_rows", self._events)):
            cursor.register("incoming", rows.table)
            cursor.execute(f"CREATE TEMP TABLE {name} AS SELECT *, NULL::BLOB AS salt FROM incoming")  # noqa: S608  # nosec B608 - a name of ours
            cursor.unregister("incoming")
        cursor.execute(f"CREATE TEMP TABLE trace_runs ({early.TRACE_RUNS})")
        if found.runs:
            lists = {"traces": list(found.runs), "runs": list(found.runs.values())}
            cursor.execute("INSERT INTO temp.trace_runs (trace_id, run_id) SELECT unnest($traces), unnest($runs)", lists)
        if found.shared:
            query = "INSERT INTO temp.trace_runs SELECT * FROM internal.trace_runs WHERE list_contains($shared, trace_id)"
            cursor.execute(query, {"shared": list(found.shared)})
        return cursor


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
    runs = {trace: run for trace, run in lake.catalog.run_of_traces(traces).items() if trace not in shared}
    found = _Found(run_id=final, window=_widened(lake, window, traces), runs=runs, shared=shared)
    events = ["trace_events", *(["untraced_events"] if None in named else [])]
    texts = {
        "spans": query_sql("trace_spans").format(columns=every_column("spans")),
        "events": " UNION ALL ".join(query_sql(part).format(columns=every_column("events")) for part in events),
    }
    rows = lake.stored(texts, {"trace_ids": traces, "run_ids": names}, found.window)
    with ExitStack() as stack:
        try:
            yield Excerpt(lake, found, Rows(rows["spans"]), Rows(rows["events"]), stack)
        except duckdb.Error as error:
            raise engine.explained(error, lake.data) from error


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
