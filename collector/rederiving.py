"""The flow of `auditlake rederive`: slices of sealed rows → read again → what changed is published → the runs that this changes.

It stops anywhere without harm: what is published counts, what is not is found again by the next run, which sees that nothing changed in
the rest. A collector may run meanwhile, and compaction move the files.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from collector.dialects import DIALECTS
from collector.joins import resolve
from collector.pricing import Pricer
from collector.rereading import COLUMNS, VERSIONS, Rereading, derivation
from collector.rows import RunIndex
from collector.sealer import time_spans
from storage.catalog import Catalog, JoinRecord
from storage.derivations import Joins, Publisher, Slice, read_slice, slices
from storage.lake import Lake
from storage.schema import CANONICAL, DERIVATION
from storage.views import query_sql

PUBLISHED_ROWS: Final = 50_000
_TRACES_AT_ONCE: Final = 200
_SCHEMA: Final = pa.schema([*DERIVATION, *CANONICAL])
_OF_RUN: Final = ("run_id", "session_id")
"""Columns whose change can mean that a trace belongs to another run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are read again; None means any. Times are unix ns, both included."""

    from_ns: int | None = None
    to_ns: int | None = None
    dialect: str | None = None  # that read the row, or reads it now
    only_changed: bool = False  # rows of other versions of dialects and prices than today's


@dataclass(slots=True)
class Report:
    """What came of it."""

    read: int = 0
    changed: int = 0
    differences: Counter[tuple[str, str]] = field(default_factory=Counter)  # (dialect that reads the row now, column) → rows
    moved_traces: int = 0  # that belong to another run than before


class Rederiving:
    """One run over a lake. Without a publisher nothing is written: what would change is counted.

    `announce` is called once, before anything is published: who reads the lake sees other rows from then on, also when this is killed.
    """

    def __init__(
        self,
        lake: Lake,
        prices: Pricer,
        wanted: Wanted,
        clock: Callable[[], int],
        publisher: Publisher | None,
        *,
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        self.report = Report()
        self.derivation = derivation(prices)
        self._lake = lake
        self._prices = prices
        self._wanted = wanted
        self._clock = clock
        self._publisher = publisher
        self._announce = announce
        self._announced = False
        self._waiting: list[pa.Table] = []
        self._runs: dict[str, tuple[int, int]] = {}
        self._traces: set[str] = set()  # that may belong to another run now

    def slices(self) -> list[Slice]:
        """What there is to read."""
        return slices(self._lake.catalog, from_ns=self._wanted.from_ns, to_ns=self._wanted.to_ns)

    def read(self, part: Slice) -> None:
        """Read a slice again, and publish what changed once it is enough."""
        rows = self._asked_for(read_slice(self._lake, part))
        if not rows.num_rows:
            return
        again = Rereading(part.table, rows, self._prices)
        counts = self._counted(rows, again)
        changed = pc.and_(again.changed, counts)
        self.report.read += pc.sum(counts).as_py() or 0
        self.report.changed += pc.sum(changed).as_py() or 0
        for name, difference in again.differences.items():
            if name not in VERSIONS:
                self.report.differences.update(
                    (dialect, name) for dialect in again.columns["dialect"].filter(pc.and_(difference, counts)).to_pylist()
                )
        self._note_traces(rows, again, changed)
        if self._publisher is not None and pc.any(changed).as_py():
            self._waiting.append(self._derived(part.table, rows, again, changed))
            if sum(table.num_rows for table in self._waiting) >= PUBLISHED_ROWS:
                self._publish()

    def finish(self) -> None:
        """Publish the rest, and which traces belong to other runs."""
        self._publish()
        traces = sorted(self._traces)
        for start in range(0, len(traces), _TRACES_AT_ONCE):
            self._settle(traces[start : start + _TRACES_AT_ONCE])

    def _asked_for(self, rows: pa.Table) -> pa.Table:
        wanted, today = self._wanted, _today()
        times = rows["start_ns" if "start_ns" in rows.column_names else "time_ns"]
        times = pc.if_else(pc.fill_null(rows["clock_flagged"], fill_value=False), rows["received_ns"], times)
        keep = pa.chunked_array([pa.repeat(pa.scalar(value=True), rows.num_rows)])
        if wanted.from_ns is not None:
            keep = pc.and_(keep, pc.greater_equal(times, wanted.from_ns))
        if wanted.to_ns is not None:
            keep = pc.and_(keep, pc.less_equal(times, wanted.to_ns))
        if wanted.only_changed:
            versions = pc.binary_join_element_wise(
                pc.fill_null(rows["dialect"], ""), rows["dialect_version"].cast(pa.string()).cast(rows["dialect"].type), "/"
            )
            of_today = pc.fill_null(pc.is_in(versions, pa.array(sorted(today), versions.type)), fill_value=False)
            keep = pc.and_(keep, pc.invert(pc.and_(of_today, self._priced_today(rows))))
        return rows.filter(keep)

    def _priced_today(self, rows: pa.Table) -> pa.ChunkedArray:
        """The rows with today's prices, and those that have none."""
        if "price_version" not in rows.column_names:  # of metrics
            return pa.chunked_array([pa.repeat(pa.scalar(value=True), rows.num_rows)])
        newest = pa.array([self._prices.newest], rows["price_version"].type)
        priced = pc.fill_null(pc.is_in(rows["price_version"], newest), fill_value=False)
        return pc.or_(priced, pc.invert(pc.fill_null(pc.equal(rows["step_kind"], "model"), fill_value=False)))

    def _counted(self, rows: pa.Table, again: Rereading) -> pa.Array:
        """The rows of the dialect that was asked for."""
        if self._wanted.dialect is None:
            return pa.repeat(pa.scalar(value=True), rows.num_rows)
        before = pc.fill_null(pc.equal(rows["dialect"].combine_chunks(), self._wanted.dialect), fill_value=False)
        return pc.or_(before, pc.equal(again.columns["dialect"], self._wanted.dialect))

    def _note_traces(self, rows: pa.Table, again: Rereading, changed: pa.Array) -> None:
        """Remember the traces that say something else about their run than the catalog knows."""
        moved = pc.and_(changed, pc.or_(*(again.differences[name] for name in _OF_RUN)))
        names = rows["trace_id"], rows["run_id"], again.columns["run_id"]
        for trace, before, now in zip(*(column.filter(moved).to_pylist() for column in names), strict=True):
            self._traces.update([trace] if trace else [name for name in (before, now) if name])
        if self._wanted.dialect is None and again.index.joins:
            known = {
                (join.trace_id, join.key): join.role
                for join in self._lake.catalog.joins(traces=sorted({trace for trace, _ in again.index.joins}))
            }
            self._traces.update(trace for (trace, key), join in again.index.joins.items() if known.get((trace, key)) != join.role)
        for run_id, time_ns, other in zip(again.columns["run_id"].to_pylist(), again.times_ns, moved.to_pylist(), strict=True):
            if other and run_id is not None:
                first, last = self._runs.get(run_id, (time_ns, time_ns))
                self._runs[run_id] = (min(first, time_ns), max(last, time_ns))

    def _derived(self, table: str, rows: pa.Table, again: Rereading, changed: pa.Array) -> pa.Table:
        count = rows.num_rows
        columns = {
            "of_table": pa.repeat(pa.scalar(table, pa.large_string()), count),
            "of_origin": rows["origin"],
            "of_entry": rows["entry"],
            "of_row": rows["entry_row"],
            "trace_id": rows["trace_id"],
            "time_ns": pa.array(again.times_ns, pa.int64()),
            "derived_ns": pa.repeat(pa.scalar(self._clock(), pa.int64()), count),
            "derivation": pa.repeat(pa.scalar(self.derivation, pa.large_string()), count),
        } | {name: again.columns[name] for name in COLUMNS}
        return pa.table({each.name: columns[each.name] for each in _SCHEMA}).cast(_SCHEMA).filter(changed)

    def _publish(self) -> None:
        if self._waiting:
            self._write(pa.concat_tables(self._waiting).combine_chunks(), self._runs)
        self._waiting, self._runs = [], {}

    def _settle(self, traces: Sequence[str]) -> None:
        """Have the catalog know of these traces what all of their records say today, and no more."""
        catalog = self._lake.catalog
        index = self._all_of(traces)
        stated = [join for (trace, _), join in index.joins.items() if trace in set(traces)]
        known = catalog.joins(traces=traces)
        said = {(join.trace_id, join.key) for join in stated}
        withdrawn = [join for join in known if (join.trace_id, join.key) not in said]
        keys = sorted({join.key for join in withdrawn if not join.key.startswith("run:")} | {f"trace:{trace}" for trace in traces})
        gone = {(join.trace_id, join.key) for join in withdrawn}
        others = [join for join in catalog.joins(keys=keys) if (join.trace_id, join.key) not in gone]
        trace_runs = resolve([*stated, *others], _Without(catalog, gone))
        before = catalog.run_of_traces(sorted({*traces, *trace_runs}))
        trace_runs |= dict.fromkeys(trace for trace in traces if trace in before and trace not in trace_runs)
        self.report.moved_traces += sum(before.get(trace) != run for trace, run in trace_runs.items())
        if self._publisher is not None and (withdrawn or said != {(join.trace_id, join.key) for join in known}):
            joins = Joins(stated=stated, withdrawn=withdrawn, trace_runs=trace_runs)
            spans = time_spans(index, trace_runs, catalog)
            self._write(_SCHEMA.empty_table(), spans, joins)

    def _write(self, rows: pa.Table, runs: Mapping[str, tuple[int, int]], joins: Joins | None = None) -> None:
        if self._publisher is None:
            return
        if not self._announced:
            self._announce()
            self._announced = True
        self._publisher.publish(rows, now_ns=self._clock(), runs=runs, joins=joins)

    def _all_of(self, traces: Sequence[str]) -> RunIndex:
        """What all records of these traces say, read again."""
        index = RunIndex()
        for table, query in (("spans", "trace_spans"), ("events", "trace_events"), ("events", "untraced_events")):
            rows = self._lake.sql(query_sql(query).format(columns="*"), {"trace_ids": list(traces), "run_ids": list(traces)})
            if rows.num_rows:
                again = Rereading(table, rows, self._prices)
                for (trace, run), (first, last) in again.index.spans.items():
                    index.seen(trace, run, first, last)
                for join in again.index.joins.values():
                    index.join(join.trace_id, join.key, join.role, join.ns)
        return index


class _Without:
    """A catalog in which some statements were not made."""

    def __init__(self, catalog: Catalog, gone: set[tuple[str, str]]) -> None:
        self._catalog = catalog
        self._gone = gone

    def joins(self, *, traces: Sequence[str] = (), keys: Sequence[str] = ()) -> list[JoinRecord]:
        """What is left of these."""
        return [join for join in self._catalog.joins(traces=traces, keys=keys) if (join.trace_id, join.key) not in self._gone]


def _today() -> Iterator[str]:
    return (f"{dialect.name}/{dialect.version}" for dialect in DIALECTS)
