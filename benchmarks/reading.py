"""What reading the lake costs: run with `python -m benchmarks.reading [spans]`; prints one line a measure.

A day of agent runs (10 spans each, 4 of them inference, and a run.started event) in files as compaction leaves them. Writing it takes
about 20 s a million spans; every measure is the best of five, warm, over an open lake.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from storage.catalog import Catalog, EntryRecord
from storage.lake import Lake
from storage.runs import RunFilter, page_runs, reconstruct
from storage.schema import EVENTS, SPANS
from storage.writer import publish_entry

SPANS_TOTAL = 1_000_000
FILES = 24
STEPS = ("agent", "agent", "model", "tool", "model", "tool", "retrieval", "model", "other", "model")
DAY_NS = 86_400 * 1_000_000_000
MIDNIGHT_NS = 1_795_219_200 * 1_000_000_000  # 2026-11-21T00:00:00Z
ORIGIN = "bench/collector"


def main() -> None:
    """Print name, value and unit of each measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SPANS_TOTAL
    with tempfile.TemporaryDirectory() as folder:
        for name, value, unit in measures(Path(folder), count):
            print(f"{name:<58}{value:>12,.3f} {unit}")


def measures(data: Path, count: int = SPANS_TOTAL) -> Iterator[tuple[str, float, str]]:
    """Each measure's name, value and unit; `data` is an empty folder."""
    write_day(data, count)
    yield "open a lake", best(lambda: Lake.open(data).close()), "ms"
    with Lake.open(data, clock=lambda: MIDNIGHT_NS + DAY_NS) as lake:
        day = RunFilter(since=datetime.fromtimestamp(MIDNIGHT_NS / 1e9, UTC).replace(tzinfo=None))
        page = page_runs(lake, day)
        run_id = page.rows[len(page.rows) // 2]["run_id"]
        label = f"of a day of {count:,} spans"
        yield f"list of the newest 50 runs {label}", best(lambda: page_runs(lake, day)), "ms"
        yield f"every run with every column {label}", best(lambda: lake.sql("SELECT count(*), count(COLUMNS(*)) FROM runs")), "ms"
        yield "one run reconstructed", best(lambda: reconstruct(lake, run_id)), "ms"
        for name, text in QUERIES.items():
            yield f"{name} {label}", best(lambda: lake.query(text)), "ms"  # noqa: B023


QUERIES = {
    "cost by model": "SELECT model, sum(cost_usd) FROM model_calls WHERE counted GROUP BY ALL",
    "tool latency p99": "SELECT tool_name, quantile_cont(duration_ms, 0.99) FROM tool_calls GROUP BY ALL",
    "error rate of 5 minutes": """SELECT count(*) FILTER (status = 'error') / count(*) FROM steps
        WHERE kind IN ('model', 'tool') AND started_at BETWEEN TIMESTAMP '2026-11-21 12:00' AND TIMESTAMP '2026-11-21 12:05'""",
}


def best(measured: Callable[[], object]) -> float:
    """Milliseconds of the quickest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        measured()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


def write_day(data: Path, count: int) -> None:
    """Write a day of runs, each file an entry."""
    with closing(Catalog.open(data)) as catalog:
        for number in range(FILES):
            tables, runs = hour(number, count // FILES // len(STEPS))
            rows = sum(table.num_rows for table in tables.values())
            entry = EntryRecord(
                origin=ORIGIN, entry=number, sealed_ns=MIDNIGHT_NS, first_received_ns=MIDNIGHT_NS, last_received_ns=MIDNIGHT_NS,
                received=rows, stored=rows, rejected=0, deduplicated=0, quarantined=0, withheld=0,
                own=0, bytes=1, policy_hash="0", descriptor={},
            )  # fmt: skip
            files = publish_entry(data, ORIGIN, number, tables, sealed_ns=MIDNIGHT_NS)
            catalog.commit_entry(entry, files, runs=runs, trace_runs={}, batches=[])


def hour(number: int, runs: int) -> tuple[dict[str, pa.Table], dict[str, tuple[int, int]]]:
    """The spans and events of one file, and when each of its runs was."""
    rng = np.random.default_rng(number)
    size = len(STEPS)
    traces = _hex(rng, runs, 32)
    spans = _hex(rng, runs * size, 16).reshape(runs, size)
    begin = MIDNIGHT_NS + number * DAY_NS // FILES + np.arange(runs) * (DAY_NS // FILES // runs)
    start = (begin[:, None] + np.arange(size) * 500_000_000).reshape(-1)
    end = start + rng.integers(10_000_000, 2_000_000_000, runs * size)
    kinds = np.tile(np.array(STEPS, dtype=object), runs)
    parents = np.concatenate(
        [np.full((runs, 1), None), np.repeat(spans[:, :1], 3, axis=1), np.repeat(spans[:, 1:2], size - 4, axis=1)], axis=1
    )
    inference = kinds == "model"
    per_run: dict[str, Any] = {
        "trace_id": traces, "run_id": traces, "tenant": _choice(rng, runs, "tenant", 3),
        "agent_name": _choice(rng, runs, "agent", 20), "actor": _choice(rng, runs, "user", 1000),
        "environment": np.full(runs, "prod", dtype=object),
        "release": np.full(runs, "1.2", dtype=object), "session_id": _choice(rng, runs, "session", 30_000),
    }  # fmt: skip
    numbers = {name: pa.array(rng.integers(10, 2000, runs * size), mask=~inference) for name in ("input_tokens", "output_tokens")}
    columns = {name: np.repeat(values, size) for name, values in per_run.items()} | numbers
    columns |= {
        "span_id": spans.reshape(-1), "parent_span_id": parents.reshape(-1), "name": kinds, "step_kind": kinds,
        "start_ns": start, "end_ns": end, "start_time": (start // 1000).astype("datetime64[us]"),
        "end_time": (end // 1000).astype("datetime64[us]"),
        "status_code": np.where(rng.random(runs * size) < 0.03, 2, 0), "model": np.where(inference, "gpt-5", None),
        "tool_name": np.where(kinds == "tool", "search", None), "response_id": np.where(inference, spans.reshape(-1), None),
        "cost_usd": pa.array(rng.random(runs * size) / 100, mask=~inference), "sequence": np.tile(np.arange(2, size + 2), runs),
        "entry_row": np.arange(runs * size), "received_ns": end,
    }  # fmt: skip
    started = per_run | {
        "span_id": spans[:, 0], "event_name": np.full(runs, "run.started", dtype=object), "step_kind": np.full(runs, "run", dtype=object),
        "time_ns": begin, "time": (begin // 1000).astype("datetime64[us]"), "sequence": np.ones(runs, dtype=np.int64),
        "entry_row": runs * size + np.arange(runs), "received_ns": begin,
    }  # fmt: skip
    tables = {"spans": _table(SPANS, columns, number), "events": _table(EVENTS, started, number)}
    return tables, {trace: (int(first), int(first) + size * 500_000_000) for trace, first in zip(traces, begin, strict=True)}


def _table(schema: pa.Schema, columns: dict[str, Any], entry: int) -> pa.Table:
    rows = len(columns["run_id"])
    given = columns | {"origin": np.full(rows, ORIGIN, dtype=object), "entry": np.full(rows, entry)}
    arrays = []
    for field in schema:
        value = given.get(field.name)
        if value is None:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(value.cast(field.type) if isinstance(value, pa.Array) else pa.array(value, field.type))
    return pa.table(arrays, schema=schema)


def _hex(rng: np.random.Generator, count: int, length: int) -> Any:
    text = rng.bytes(count * length // 2).hex()
    return np.array([text[at : at + length] for at in range(0, count * length, length)], dtype=object)


def _choice(rng: np.random.Generator, count: int, name: str, distinct: int) -> Any:
    return np.array([f"{name}-{number}" for number in range(distinct)], dtype=object)[rng.integers(0, distinct, count)]


if __name__ == "__main__":
    main()
