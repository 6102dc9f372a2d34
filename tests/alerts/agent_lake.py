"""A small lake with what agents did at given times, written through the writer and the catalog as the sealer does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.catalog import Catalog, EntryRecord
from storage.schema import TABLES
from storage.writer import publish_entry

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORIGIN = "test/collector"
BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def unix_ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def texts(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in attributes.items()]


@dataclass
class AgentLake:
    """Rows wait in memory until `seal`; `ago` says how long before NOW something happened."""

    data: Path
    agent: str = "support"
    origin: str = ORIGIN
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"spans": [], "events": [], "metrics": []})
    numbers: "count[int]" = field(default_factory=count)
    entry: int = 0

    def seal(self, *, ago: timedelta = timedelta(), lag: timedelta = timedelta(), **counts: int) -> "AgentLake":
        """Make one entry of the rows that wait, sealed so long before NOW, `lag` after its last record; `counts` are those of the entry."""
        sealed_ns = unix_ns(NOW - ago)
        received_ns = sealed_ns - lag // timedelta(microseconds=1) * 1000
        tables: dict[str, pa.Table] = {}
        row_number = 0
        for name, rows in self.tables.items():
            for row in rows:
                row |= {"origin": self.origin, "entry": self.entry, "entry_row": row_number, "salt": b"0" * 16, "schema_version": 1}
                row_number += 1
            tables[name] = pa.Table.from_pylist(rows, schema=TABLES[name])
            self.tables[name] = []
        stored = sum(table.num_rows for table in tables.values())
        none = dict.fromkeys(("rejected", "deduplicated", "quarantined", "withheld", "own"), 0)
        received = {"received": stored, "stored": stored, "first_received_ns": received_ns, "last_received_ns": received_ns, "bytes": 1}
        entry: dict[str, Any] = {
            "origin": self.origin,
            "entry": self.entry,
            "sealed_ns": sealed_ns,
            "policy_hash": "test",
            "descriptor": {},
        }
        record = EntryRecord(**entry, **received, **{**none, **counts})
        catalog = Catalog.open(self.data)
        catalog.commit_entry(record, publish_entry(self.data, self.origin, self.entry, tables), runs={}, trace_runs={})
        catalog.close()
        self.entry += 1
        return self

    def span(
        self, kind: str, ago: timedelta, *, run: str = "run-1", error: bool = False, attributes: Mapping[str, Any] = {}, **row: Any
    ) -> None:
        number, start = next(self.numbers), unix_ns(NOW - ago)
        self.tables["spans"].append(
            {
                **self._common(run, start, number),
                "start_ns": start,
                "end_ns": start + 1_000_000,
                "start_time": start // 1000,
                "end_time": start // 1000 + 1000,
                "name": kind,
                "kind": 1,
                "status_code": 2 if error else 0,
                "attributes": texts(attributes),
                "step_kind": kind,
                **row,
            }
        )

    def event(self, name: str, ago: timedelta, *, run: str | None = None, attributes: Mapping[str, Any] = {}, **row: Any) -> None:
        number, time = next(self.numbers), unix_ns(NOW - ago)
        self.tables["events"].append(
            {
                **self._common(run, time, number),
                "time_ns": time,
                "time": time // 1000,
                "event_name": name,
                "severity_number": 9,
                "attributes": texts(attributes),
                **row,
            }
        )

    def beat(self, ago: timedelta, *, interval_seconds: float | None = None, shutdown: bool = False) -> None:
        attributes = {} if interval_seconds is None else {"auditlake.heartbeat.interval_seconds": interval_seconds}
        self.event("agent.shutdown" if shutdown else "heartbeat", ago, attributes=attributes, step_kind="heartbeat")

    def tool(self, ago: timedelta, *, arguments: Mapping[str, Any] | None = None, **row: Any) -> None:
        attributes = {} if arguments is None else {"gen_ai.tool.call.arguments": dict(arguments)}
        self.span("tool", ago, attributes=attributes, **{"tool_name": "refund", **row})

    def approval(self, ago: timedelta, state: str, *, run: str = "run-1", action: str = "refund", expires: timedelta | None = None) -> None:
        attributes = {} if expires is None else {"auditlake.approval.expires_at": (NOW - expires).isoformat()}
        self.event("approval", ago, run=run, attributes=attributes, approval_state=state, action=action, step_kind="approval")

    def cost(self, ago: timedelta, dollars: float, **row: Any) -> None:
        self.span("model", ago, cost_usd=dollars, response_id=f"r{next(self.numbers)}", **row)

    def acks(self, ago: timedelta, counts: Mapping[float, int], *, kind: str = "audit") -> None:
        """Report how many acknowledgements took up to each of BOUNDS_MS (and beyond: inf)."""
        number, time = next(self.numbers), unix_ns(NOW - ago)
        buckets = [counts.get(bound, 0) for bound in (*BOUNDS_MS, float("inf"))]
        self.tables["metrics"].append(
            {
                **self._common(None, time, number, ledger_only=True),
                "time_ns": time,
                "time": time // 1000,
                "metric_name": "auditlake.ack.duration",
                "type": "histogram",
                "unit": "s",
                "temporality": "delta",
                "scope_name": "auditlake.collector",
                "count": sum(buckets),
                "max": max(min(bound, 400.0) for bound, number in counts.items() if number) / 1e3,
                "bucket_bounds": [bound / 1e3 for bound in BOUNDS_MS],
                "bucket_counts": buckets,
                "attributes": [("class", kind)],
            }
        )

    def _common(self, run: str | None, time_ns: int, number: int, *, ledger_only: bool = False) -> dict[str, Any]:
        ledger = {"received_ns": time_ns, "clock_flagged": False, "policy_hash": "test"}
        if ledger_only:
            return ledger
        identity = {"trace_id": f"{hash(run) & 0xFFFFFFFF:032x}", "span_id": f"{number:016x}", "run_id": run, "scope_name": "test"}
        return {**ledger, **identity, "agent_name": self.agent, "tenant": "acme", "environment": "prod"}
