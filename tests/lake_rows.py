"""Rows for lake tests and benchmarks: plausible agent telemetry in the schema's columns, the same for the same seed."""

import random
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from storage.schema import EVENTS, METRICS, SPANS

DAY_NS = 86_400 * 1_000_000_000
NOON_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21T12:00:00Z

_RESOURCE = [
    ("service.name", "support-agent"),
    ("service.version", "2.4.1"),
    ("deployment.environment.name", "prod"),
    ("host.name", "node-7"),
]
_WORDS = (
    "the",
    "refund",
    "of",
    "order",
    "was",
    "sent",
    "to",
    "customer",
    "after",
    "policy",
    "check",
    "and",
    "approval",
    "by",
    "team",
    "lead",
)


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)) + f" {rng.getrandbits(40):x}"


def _common(rng: random.Random, number: int, origin: str, entry: int, first_row: int) -> dict[str, Any]:
    return {
        "trace_id": f"{rng.getrandbits(128):032x}",
        "span_id": f"{rng.getrandbits(64):016x}",
        "resource_attributes": _RESOURCE,
        "scope_name": "acme.agents",
        "scope_version": "1.0",
        "tenant": rng.choice(["acme", "globex", "initech"]),
        "environment": "prod",
        "agent_name": rng.choice(["support", "research", "billing"]),
        "agent_id": f"agent-{rng.randrange(20)}",
        "dialect": "genai",
        "dialect_version": 1,
        "origin": origin,
        "entry": entry,
        "entry_row": first_row + number,
        "salt": rng.randbytes(16),
        "policy_hash": "0123456789abcdef",
        "schema_version": 1,
        "redactions": [("EMAIL_ADDRESS", 1)] if number % 7 == 0 else [],
        "clock_flagged": False,
    }


def span_rows(
    count: int, *, origin: str = "n/collector", entry: int = 0, start_ns: int = NOON_NS, seed: int = 0, first_row: int = 0
) -> list[dict[str, Any]]:
    """Spans of about 800 bytes, eight a trace, within one second from `start_ns`."""
    rng = random.Random(f"spans/{origin}/{entry}/{seed}")
    rows, trace = [], ""
    for number in range(count):
        row = _common(rng, number, origin, entry, first_row)
        trace = row["trace_id"] if number % 8 == 0 else trace
        begin = start_ns + rng.randrange(1_000_000_000)
        end = begin + rng.randrange(2_000_000_000)
        row |= {"trace_id": trace, "run_id": trace, "name": "chat gpt-5", "kind": 3, "status_code": 0, "flags": 257, "step_kind": "model"}
        row |= {"start_ns": begin, "end_ns": end, "start_time": begin // 1000, "end_time": end // 1000, "received_ns": end + 5_000_000}
        row |= {"provider": "openai", "model": "gpt-5", "input_tokens": rng.randrange(4000), "output_tokens": rng.randrange(900)}
        row |= {"cost_usd": rng.random(), "cost_source": "genai-prices", "latency_ms": (end - begin) / 1e6}
        row["attributes"] = [
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.system", "openai"),
            ("gen_ai.request.model", "gpt-5"),
            ("gen_ai.response.id", f"chatcmpl-{rng.getrandbits(96):x}"),
            ("gen_ai.usage.input_tokens", str(row["input_tokens"])),
            ("gen_ai.usage.output_tokens", str(row["output_tokens"])),
            ("gen_ai.input.messages", '[{"role":"user","parts":[{"type":"text","content":"' + _text(rng, 40) + '"}]}]'),
            ("gen_ai.output.messages", '[{"role":"assistant","parts":[{"type":"text","content":"' + _text(rng, 20) + '"}]}]'),
        ]
        row["events"] = (
            [{"time_ns": begin, "name": "gen_ai.choice", "attributes": [("index", "0")], "dropped_attributes_count": 0}]
            if number % 5 == 0
            else []
        )
        row["links"] = []
        rows.append(row)
    return rows


def event_rows(
    count: int, *, origin: str = "n/collector", entry: int = 0, start_ns: int = NOON_NS, seed: int = 0, first_row: int = 0
) -> list[dict[str, Any]]:
    """Log records of an agent."""
    rng = random.Random(f"events/{origin}/{entry}/{seed}")
    rows = []
    for number in range(count):
        row = _common(rng, number, origin, entry, first_row)
        time_ns = start_ns + rng.randrange(1_000_000_000)
        row |= {
            "time_ns": time_ns,
            "time": time_ns // 1000,
            "observed_ns": time_ns,
            "observed_time": time_ns // 1000,
            "received_ns": time_ns + 1000,
        }
        row |= {"event_name": "policy.decision", "severity_number": 9, "body": _text(rng, 8), "run_id": row["trace_id"]}
        row["attributes"] = [("auditlake.policy.decision", "allow"), ("auditlake.policy.version", "2026-11")]
        rows.append(row)
    return rows


def metric_rows(
    count: int, *, origin: str = "n/collector", entry: int = 0, start_ns: int = NOON_NS, seed: int = 0, first_row: int = 0
) -> list[dict[str, Any]]:
    """Points of a sum."""
    rng = random.Random(f"metrics/{origin}/{entry}/{seed}")
    rows = []
    for number in range(count):
        row = _common(rng, number, origin, entry, first_row)
        time_ns = start_ns + rng.randrange(1_000_000_000)
        row |= {"time_ns": time_ns, "time": time_ns // 1000, "start_ns": start_ns, "start_time": start_ns // 1000, "received_ns": time_ns}
        row |= {
            "metric_name": "queue.depth",
            "type": "sum",
            "temporality": "delta",
            "monotonic": True,
            "value": rng.random(),
            "attributes": [],
        }
        rows.append(row)
    return rows


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table with all columns of the schema; what a row does not say is NULL."""
    return pa.Table.from_pylist(rows, schema={"spans": SPANS, "events": EVENTS, "metrics": METRICS}[name])


def tables(spans: int = 3, events: int = 0, metrics: int = 0, **where: Any) -> Mapping[str, pa.Table]:
    """One entry's tables, rows numbered through as the ledger does: spans, then events, then metrics."""
    return {
        "spans": table_of("spans", span_rows(spans, **where)),
        "events": table_of("events", event_rows(events, first_row=spans, **where)),
        "metrics": table_of("metrics", metric_rows(metrics, first_row=spans + events, **where)),
    }
