"""A small lake for reading tests, written through the real publisher and catalog; a row says only what its test is about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.catalog import Catalog
from storage.layout import EntryRecord, FileRecord
from storage.schema import TABLES, TIME_NS
from storage.writer import publish_entry

START_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21T12:00:00Z
SECOND_NS = 1_000_000_000
Row = dict[str, Any]


def span(name: str = "step", *, run: str | None = "run-1", trace: str = "trace-1", at: float = 0, took: float = 1, **columns: Any) -> Row:
    """A span that begins `at` seconds after the start; `id` and `parent` are its span ids."""
    start_ns = START_NS + int(at * 1e9)
    end_ns = start_ns + int(took * 1e9)
    row = {
        "name": name,
        "run_id": run,
        "trace_id": trace,
        "span_id": columns.pop("id", name),
        "parent_span_id": columns.pop("parent", None),
    }
    row |= {"start_ns": start_ns, "end_ns": end_ns, "start_time": start_ns // 1000, "end_time": end_ns // 1000, "received_ns": end_ns}
    return row | {"status_code": 0, "kind": 1, "agent_name": "support", "attributes": {}} | columns


def event(name: str | None, *, run: str | None = "run-1", at: float = 0, **columns: Any) -> Row:
    """A log record `at` seconds after the start; `inside` is the span that it was written in."""
    time_ns = START_NS + int(at * 1e9)
    row = {"event_name": name, "run_id": run, "trace_id": columns.pop("trace", None), "span_id": columns.pop("inside", None)}
    row |= {"time_ns": time_ns, "time": time_ns // 1000, "received_ns": time_ns, "agent_name": "support", "attributes": {}}
    return row | columns


def model(name: str, *, tokens: tuple[int, int] | None = (100, 10), cost: float | None = 0.5, **columns: Any) -> Row:
    """An inference span."""
    given = {} if tokens is None else {"input_tokens": tokens[0], "output_tokens": tokens[1]}
    return span(name, **({"step_kind": "model", "model": "gpt-5", "cost_usd": cost} | given | columns))


def metric(name: str, *, at: float = 0, **columns: Any) -> Row:
    """A data point."""
    time_ns = START_NS + int(at * 1e9)
    return {
        "metric_name": name,
        "type": "gauge",
        "time_ns": time_ns,
        "time": time_ns // 1000,
        "received_ns": time_ns,
        "attributes": {},
    } | columns


def write_lake(
    data: Path,
    *,
    spans: Sequence[Row] = (),
    events: Sequence[Row] = (),
    metrics: Sequence[Row] = (),
    trace_runs: Mapping[str, str | None] | None = None,
    origin: str = "node/collector",
    sealed_ns: int = START_NS,
) -> list[FileRecord]:
    """Seal these rows as the next entry of an origin and return its files; creates the lake where there is none."""
    catalog = Catalog.open(data)
    try:
        entry = (catalog.last_entry(origin) or 0) + 1
        tables, number = {}, 0
        for name, rows in (("spans", spans), ("events", events), ("metrics", metrics)):
            tables[name] = table(name, [row | {"origin": origin, "entry": entry, "entry_row": number + at} for at, row in enumerate(rows)])
            number += len(rows)
        files = publish_entry(data, origin, entry, tables, sealed_ns=sealed_ns)
        catalog.commit_entry(_entry(origin, entry, number), files, runs=_runs(tables), trace_runs=trace_runs or {})
        return files
    finally:
        catalog.close()


def table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as a table of the schema; what a row does not say is NULL, maps may be dictionaries."""
    maps = {field.name for field in TABLES[name] if pa.types.is_map(field.type)}
    plain = [{key: list(value.items()) if key in maps and isinstance(value, dict) else value for key, value in row.items()} for row in rows]
    return pa.Table.from_pylist(plain, schema=TABLES[name])


def _runs(tables: Mapping[str, pa.Table]) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for name in ("spans", "events"):
        for row in tables[name].select(["run_id", TIME_NS[name]]).to_pylist():
            if row["run_id"] is not None:
                at = row[TIME_NS[name]]
                first, last = found.get(row["run_id"], (at, at))
                found[row["run_id"]] = (min(first, at), max(last, at))
    return found


def _entry(origin: str, entry: int, records: int) -> EntryRecord:
    counts = {"rejected": 0, "deduplicated": 0, "quarantined": 0, "withheld": 0, "own": 0, "bytes": 1}
    received = {"first_received_ns": START_NS, "last_received_ns": START_NS + SECOND_NS, "received": records, "stored": records}
    sealed_ns = START_NS + 2 * SECOND_NS
    return EntryRecord(origin=origin, entry=entry, sealed_ns=sealed_ns, policy_hash="p", descriptor={}, **received, **counts)
