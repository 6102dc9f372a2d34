"""One run out of the lake, whatever its size: its traces are copied out once, and every view then reads only the copy.

A run's rows are found by their ids (Bloom filters and statistics skip the rest), in the files of its time. Views cannot do that, as
the final run id is made of two columns. The copy holds whole traces: a step whose parent belongs to another run has a parent.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.views import query_sql

if TYPE_CHECKING:
    from storage.lake import Lake, Window

_MARGIN_NS: Final = 3600 * 1_000_000_000
"""Around the run's own time: a parent that is not of the run may begin before it."""


class Excerpt:
    """A run's traces under the views of the lake. `run_id` is the final one."""

    def __init__(self, lake: "Lake", run_id: str, paths: Mapping[str, list[str]]) -> None:
        self.run_id = run_id
        self._lake = lake
        self._paths = paths

    def named(self, name: str, **params: Any) -> pa.Table:
        """Run a named query on the excerpt, with `run_id` among its parameters."""
        return self._lake.sql(query_sql(name), {"run_id": self.run_id, **params}, paths=self._paths)


@contextmanager
def excerpt(lake: "Lake", run_id: str) -> Iterator[Excerpt]:
    """Copy a run's traces out for as long as the context lasts. `run_id` may also be a trace that joined a run of another name."""
    final = lake.catalog.run_of_traces([run_id]).get(run_id, run_id)
    window = _window(lake, final)

    def rows(query: str, **params: str) -> pa.Table:
        return lake.named(query, from_ns=window[0], to_ns=window[1], **params)

    traces = rows("run_traces", run_id=final).column("trace_id").to_pylist()
    spans = [rows("trace_spans", trace_id=trace) for trace in traces]
    events = [rows("trace_events", trace_id=trace) for trace in traces]
    events.append(rows("untraced_events", run_id=final))
    place = lake.scratch / f"excerpt-{uuid.uuid4().hex}"
    try:
        yield Excerpt(lake, final, {"spans": _write(place / "spans", spans), "events": _write(place / "events", events)})
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _window(lake: "Lake", run_id: str) -> "Window":
    """The time in which a run can have rows; open when the catalog does not know it for all parts of the run."""
    joined = lake.named("joined_traces", run_id=run_id).column("trace_id").to_pylist()
    spans = [lake.catalog.run_span(name) for name in {run_id, *joined}]
    known = [span for span in spans if span is not None]
    if not known or len(known) < len(joined):
        return (None, None)
    return min(first for first, _ in known) - _MARGIN_NS, max(last for _, last in known) + _MARGIN_NS


def _write(place: Path, tables: list[pa.Table]) -> list[str]:
    """Write rows as Parquet files by date, as in the lake; returns their paths."""
    paths: list[str] = []
    for number, table in enumerate(table for table in tables if table.num_rows):
        for day in pc.unique(table.column("date")).to_pylist():
            path = place / f"date={day}" / f"{number}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table.filter(pc.equal(table.column("date"), day)).drop_columns(["date"]), path)
            paths.append(str(path))
    return paths
