"""Lakes to measure reading on: agent runs over many days, written as Parquet and catalog through the lake's own writer.

A run is an agent's span with turns of a model call and, most often, a tool call below it, and a `run.started` event; most runs have a few
turns, some have hundreds. Model and tool spans carry about 800 bytes of attributes. Nothing here decodes OTLP: what the collector costs
is measured elsewhere. One process writes about 70,000 spans a second.
"""

import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from storage.catalog import Catalog, EntryRecord
from storage.schema import ATTRIBUTES, EVENTS, SPANS
from storage.writer import publish_entry

DAY_NS: Final = 86_400 * 1_000_000_000
END_NS: Final = 1_795_305_600 * 1_000_000_000
"""2026-11-22T00:00:00Z: the lake's last day ends then."""
ORIGIN: Final = "bench/collector"
FILE_SPANS: Final = 500_000
"""A file of an earlier day, as compaction leaves it."""
HOURS: Final = 24
"""Files of the last day: its hours are merged when it is over."""
LONG_RUN: Final = "f" * 32
"""A run of `LONG_STEPS` steps in the middle of the last day."""
LONG_STEPS: Final = 5_000
STEP_NS: Final = 500_000_000
_POOL: Final = 4_096
_TEXT: Final = 560


def write_days(data: Path, spans: int, days: int) -> None:
    """Write a lake of about `spans` spans over `days` days until `END_NS`; `data` is an empty or a new folder."""
    per_day = spans // days
    entry = 0
    with closing(Catalog.open(data)) as catalog:
        for day in range(days):
            begin = END_NS - (days - day) * DAY_NS
            parts = HOURS if day == days - 1 else max(1, round(per_day / FILE_SPANS))
            for part in range(parts):
                tables, runs = _file(entry, begin + part * DAY_NS // parts, DAY_NS // parts, per_day // parts)
                _publish(data, catalog, entry, tables, runs)
                entry += 1
        _publish(data, catalog, entry, *_long_run(entry))


def _publish(data: Path, catalog: Catalog, entry: int, tables: dict[str, pa.Table], runs: dict[str, tuple[int, int]]) -> None:
    rows = sum(table.num_rows for table in tables.values())
    record = EntryRecord(
        origin=ORIGIN, entry=entry, sealed_ns=END_NS, first_received_ns=END_NS, last_received_ns=END_NS, received=rows, stored=rows,
        rejected=0, deduplicated=0, quarantined=0, withheld=0, own=0, bytes=1, policy_hash="0", descriptor={},
    )  # fmt: skip
    files = publish_entry(data, ORIGIN, entry, tables, sealed_ns=END_NS)
    catalog.commit_entry(record, files, runs=runs, trace_runs={})


def _file(entry: int, begin_ns: int, length_ns: int, spans: int) -> tuple[dict[str, pa.Table], dict[str, tuple[int, int]]]:
    """The spans and events of one file, and when each of its runs was."""
    rng = np.random.default_rng(entry)
    sizes = np.minimum(1 + 2 * rng.geometric(0.18, max(1, spans // 11)), 400)
    began = begin_ns + np.arange(len(sizes)) * (length_ns // len(sizes))
    return _runs(rng, entry, _hex(rng, len(sizes), 32), sizes, began)


def _long_run(entry: int) -> tuple[dict[str, pa.Table], dict[str, tuple[int, int]]]:
    rng = np.random.default_rng(entry)
    traces = np.array([LONG_RUN], dtype=object)
    return _runs(rng, entry, traces, np.array([LONG_STEPS]), np.array([END_NS - DAY_NS // 2]))


def _runs(rng: np.random.Generator, entry: int, traces: Any, sizes: Any, began: Any) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Runs of these sizes and beginnings: the agent's span, then turns of a model call and a tool call below it."""
    count, total = len(sizes), int(sizes.sum())
    first = np.cumsum(sizes) - sizes
    place = np.arange(total) - np.repeat(first, sizes)
    kinds = np.where(place == 0, "agent", np.where(place % 2 == 1, "model", "tool")).astype(object)
    ids = _hex(rng, total, 16)
    start = np.repeat(began, sizes) + place * STEP_NS
    end = start + rng.integers(10_000_000, STEP_NS, total)
    end[first] = began + sizes * STEP_NS
    per_run = {
        "trace_id": traces, "run_id": traces, "tenant": _choice(rng, count, "tenant", 3), "agent_name": _choice(rng, count, "agent", 20),
        "actor": _choice(rng, count, "user", 1000), "environment": np.full(count, "prod", dtype=object),
        "release": np.full(count, "1.2", dtype=object), "session_id": _choice(rng, count, "session", 30_000),
    }  # fmt: skip
    model = kinds == "model"
    columns: dict[str, Any] = {name: np.repeat(values, sizes) for name, values in per_run.items()}
    columns |= {name: pa.array(rng.integers(10, 2000, total), mask=~model) for name in ("input_tokens", "output_tokens")}
    columns |= {
        "span_id": ids, "parent_span_id": _only(place > 0, np.repeat(ids[first], sizes)), "name": kinds, "step_kind": kinds,
        "start_ns": start, "end_ns": end, "start_time": (start // 1000).astype("datetime64[us]"),
        "end_time": (end // 1000).astype("datetime64[us]"), "status_code": np.where(rng.random(total) < 0.03, 2, 0),
        "model": _only(model, "gpt-5"), "tool_name": _only(kinds == "tool", "search"),
        "response_id": _only(model, ids), "cost_usd": pa.array(rng.random(total) / 100, mask=~model), "sequence": place + 2,
        "entry_row": np.arange(total), "received_ns": end, "attributes": _attributes(rng, kinds), "dialect": np.full(total, "otel-genai"),
    }  # fmt: skip
    events = per_run | {
        "span_id": ids[first], "event_name": np.full(count, "run.started", dtype=object), "step_kind": np.full(count, "run", dtype=object),
        "time_ns": began, "time": (began // 1000).astype("datetime64[us]"), "sequence": np.ones(count, dtype=np.int64),
        "entry_row": total + np.arange(count), "received_ns": began,
    }  # fmt: skip
    tables = {"spans": _table(SPANS, columns, total, entry), "events": _table(EVENTS, events, count, entry)}
    lasts = began + sizes * STEP_NS
    return tables, {trace: (int(begin), int(last)) for trace, begin, last in zip(traces, began, lasts, strict=True)}


def _attributes(rng: np.random.Generator, kinds: Any) -> pa.Array:
    """Attributes out of a pool of different ones for each kind, so that a file does not compress better than real ones do."""
    pools = [_pool(rng, kind) for kind in ("agent", "model", "tool")]
    offsets = {kind: number * _POOL for number, kind in enumerate(("agent", "model", "tool"))}
    chosen = rng.integers(0, _POOL, len(kinds)) + np.array([offsets[kind] for kind in kinds])
    return pa.concat_arrays(pools).take(pa.array(chosen))


def _pool(rng: np.random.Generator, kind: str) -> pa.Array:
    words = np.array(["refund", "order", "customer", "policy", "approve", "the", "of", "invoice", "search", "result", "because", "and"])
    texts = [" ".join(words[rng.integers(0, len(words), _TEXT // 14)]) + rng.bytes(_TEXT // 6).hex() for _ in range(_POOL)]
    messages = {
        "agent": [("gen_ai.operation.name", "invoke_agent")],
        "model": [("gen_ai.operation.name", "chat"), ("gen_ai.system", "openai"), ("gen_ai.request.model", "gpt-5")],
        "tool": [("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "search")],
    }[kind]
    said = {"agent": "gen_ai.agent.description", "model": "gen_ai.output.messages", "tool": "gen_ai.tool.call.arguments"}[kind]
    return pa.array([[*messages, (said, f'{{"text":"{text}"}}')] for text in texts], ATTRIBUTES)


def _table(schema: pa.Schema, columns: dict[str, Any], rows: int, entry: int) -> pa.Table:
    given = columns | {"origin": np.full(rows, ORIGIN, dtype=object), "entry": np.full(rows, entry)}
    arrays = []
    for field in schema:
        value = given.get(field.name)
        if value is None:
            arrays.append(pa.nulls(rows, field.type))
        else:
            arrays.append(value.cast(field.type) if isinstance(value, pa.Array) else pa.array(value, field.type))
    return pa.table(arrays, schema=schema)


def _only(rows: Any, values: Any) -> Any:
    """The values in these rows, None elsewhere."""
    missing: Any = None
    return np.where(rows, values, missing)


def _hex(rng: np.random.Generator, count: int, length: int) -> Any:
    text = rng.bytes(count * length // 2).hex()
    return np.array([text[at : at + length] for at in range(0, count * length, length)], dtype=object)


def _choice(rng: np.random.Generator, count: int, name: str, distinct: int) -> Any:
    return np.array([f"{name}-{number}" for number in range(distinct)], dtype=object)[rng.integers(0, distinct, count)]


def first_day() -> datetime:
    """When the last day of a lake begins, naive UTC."""
    return datetime.fromtimestamp((END_NS - DAY_NS) / 1e9, UTC).replace(tzinfo=None)


def main() -> None:
    """`python -m benchmarks.lakes FOLDER [spans [days]]`: write a lake to measure on."""
    folder, spans, days = Path(sys.argv[1]), int((sys.argv[2:3] or ["1000000"])[0]), int((sys.argv[3:4] or ["10"])[0])
    begun = time.perf_counter()
    write_days(folder, spans, days)
    print(f"{spans:,} spans over {days} days written in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
