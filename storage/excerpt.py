"""One run out of the lake, whatever its size: its traces are copied out once, and the views then read only the copy.

A run's rows are found by their ids (Bloom filters and statistics skip the rest), in the files of its time. Views cannot do that, as
the final run id is made of two columns. The copy holds whole traces: a step whose parent belongs to another run has a parent. It
stands in temporary tables of one cursor: nobody else sees it, and it goes with the cursor. Planning is most of what reading one run
costs, so what its rows cannot need is left out of the views (`composition.ONLY_WITH`), what several questions need is made once, and
the row of `runs` is made of the steps (`storage.run_row`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import duckdb
import orjson

from storage import composition, engine
from storage.layout import holder_of
from storage.run_row import Parents, run_row
from storage.views import qualified, query_sql

if TYPE_CHECKING:
    from storage.lake import Lake, Window

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
class _Traits:
    """What there is among the rows of an excerpt."""

    begun: dict[tuple[str | None, str | None], int]  # (trace id, span id) of its spans, and when they began
    resent: int  # records that came before
    without: frozenset[str]  # the views that have no rows


class Excerpt:
    """A run's traces under every view. `run_id` is the final one, `duplicates` the number of records that were sent again and left out."""

    def __init__(self, run_id: str, cursor: duckdb.DuckDBPyConnection, moment: Mapping[str, Any]) -> None:
        """`cursor` has the tables of `_COPIED`; `moment` is that of the lake."""
        self.run_id = run_id
        self._cursor = cursor
        self._moment = moment
        self._made = False
        traits = self._traits()
        self.duplicates = traits.resent
        if traits.resent:
            for kind in ("spans", "events"):
                cursor.execute(query_sql(f"drop_resent_{kind}"))
            traits = self._traits()
        self.begun: Mapping[tuple[str | None, str | None], int] = traits.begun
        self._without = traits.without

    @property
    def run(self) -> dict[str, Any] | None:
        """The run's row of the view `runs`; None where there is no such run."""
        return self._told[0]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The run's rows of `run_steps`, which the caller may change."""
        return self._told[1]

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a named query whose only parameter, if any, is `run_id`; times are naive UTC, maps dictionaries."""
        return self._rows(query_sql(name))

    def view(self, name: str) -> list[dict[str, Any]]:
        """Return the run's rows of a view."""
        return self._rows(f"SELECT * FROM {qualified(name)} WHERE run_id = $run_id")  # noqa: S608  # nosec B608 - a view's name

    @cached_property
    def _told(self) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
        """The row and the steps. DuckDB gives attributes as JSON: a third of the time that its maps take."""
        steps = self._plain() if self._without >= _DOUBTS else self._rows(query_sql("run_steps"), _COPIED)
        for step in steps:
            if step["attributes"] is not None:
                step["attributes"] = orjson.loads(step["attributes"])
        row = run_row(self.run_id, steps, self._parents(steps), **self._moment) if steps else None
        for step in steps:
            if step.pop("repeated"):
                step["kind"] = "other"
        return row, steps

    def _plain(self) -> list[dict[str, Any]]:
        """What `run_steps` gives where every record is a step and none tells what another does: in two plans that are quicker than one."""
        spans, of_spans = self._fetched(query_sql("plain_steps").format(source="span"), _COPIED)
        events, of_events = self._fetched(query_sql("plain_steps").format(source="event"), _COPIED)
        names = [*of_spans, *(name for name in of_events if name not in of_spans)]
        lacking = dict.fromkeys(names[len(of_spans) :])
        steps = [dict(zip(of_spans, row, strict=True)) for row in spans]
        for step in steps:
            step.update(lacking)
        for row in events:
            said = dict(zip(of_events, row, strict=True))
            steps.append({name: said.get(name) for name in names})
        for step in steps:
            step.update(counted=step["kind"] == "model", retried=False, repeated=False)
        steps.sort(key=_place)
        return steps

    def _parents(self, steps: Sequence[Mapping[str, Any]]) -> Parents:
        if self._without.issuperset(_DERIVED_STEPS):
            return Parents.of(steps, self.begun)
        found = self._rows(query_sql("run_parents"), _COPIED)
        return Parents(**found[0]) if found else Parents(orphans=0, early=0)

    def _rows(self, text: str, tables: frozenset[str] = _TABLES) -> list[dict[str, Any]]:
        rows, names = self._fetched(text, tables)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _fetched(self, text: str, tables: frozenset[str]) -> tuple[list[tuple[Any, ...]], list[str]]:
        if tables is _TABLES:
            self._make()
        composed = composition.composed(text, tables, self._without)
        self._cursor.execute(composed, {"run_id": self.run_id} if "$run_id" in text else None)
        return self._cursor.fetchall(), [column[0] for column in self._cursor.description or ()]

    def _make(self) -> None:
        for place, view in enumerate(() if self._made else _MADE):
            whole = f"SELECT * FROM {qualified(view)}"  # noqa: S608  # nosec B608 - a view's name
            made = composition.composed(whole, _COPIED.union(_MADE[:place]), self._without)
            self._cursor.execute(f"CREATE TEMP TABLE {view[1:]} AS {made}")
        self._made = True

    def _traits(self) -> _Traits:
        conditions = ", ".join(composition.ONLY_WITH.values())
        spans = self._cursor.execute(query_sql("excerpt_spans").format(only_with=conditions)).fetchall()
        events = self._cursor.execute(query_sql("excerpt_events")).fetchall()
        begun: dict[tuple[str | None, str | None], int] = {}
        for trace_id, span_id, _, start_ns, *_ in spans:
            begun[trace_id, span_id] = min(start_ns, begun.get((trace_id, span_id), start_ns))
        resent = sum(len(rows) - len({row[8] for row in rows if not row[9]}) for rows in (spans, events))
        without = {view for place, view in enumerate(composition.ONLY_WITH, 10) if not any(row[place] for row in spans)}
        if not _doubtful(spans, events):
            without.add("_uncounted")
        return _Traits(begun=begun, resent=resent, without=frozenset(without))


def _place(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a step stands in the order of `run_steps`: what is not known comes last."""
    is_event = step["source"] == "event"
    sequence, span_id, end_ns = step["sequence"], step["span_id"], step["end_ns"]
    known = ((sequence is None, sequence or 0), is_event, (span_id is None, span_id or ""), (end_ns is None, -(end_ns or 0)))
    told = tuple((step[name] is None, step[name] or "") for name in ("event_name", "body")) if is_event else ()
    return step["start_ns"], *known, told, step["record_id"]


def _doubtful(spans: Sequence[tuple[Any, ...]], events: Sequence[tuple[Any, ...]]) -> bool:
    """Whether inference steps can have been reported or made more than once; rows are those of `excerpt_spans` and `excerpt_events`.

    So it is where there are two reporters, a call that failed without tokens, a response id that repeats, or a step within an inference.
    """
    calls = [row for row in chain(spans, events) if row[4] == "model"]
    if len(calls) < 2:
        return False
    responses = [row[6] for row in calls if row[6] is not None]
    if len({row[5] for row in calls}) > 1 or any(row[7] for row in calls) or len(responses) > len(set(responses)):
        return True
    outer = {(row[0], row[1]) for row in calls if row[0] is not None and row[1] is not None}
    within = chain((row for row in spans if row[4] == "other"), calls)
    return any((row[0], row[2]) in outer for row in within)


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
    events = ["trace_events", *(["untraced_events"] if None in named else [])]
    tables = {"span_rows": query_sql("trace_spans"), "event_rows": " UNION ALL ".join(query_sql(part) for part in events)}
    with lake.holding(tables, params, _widened(lake, window, traces), mapped=bool(shared)) as cursor:
        try:
            _map_traces(cursor, lake.catalog.run_of_traces(traces), shared)
            yield Excerpt(final, cursor, lake.moment())
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
