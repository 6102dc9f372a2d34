"""Single records of the fixture lake: with the attributes that real agents send and the columns that a sealer derives."""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NS = 1_000_000_000
Row = dict[str, Any]
PRICES = {"gpt-4o": (2.5, 10.0), "gpt-4o-mini": (0.15, 0.6), "claude-sonnet-4-5": (3.0, 15.0)}


def time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // NS, tz=UTC).replace(tzinfo=None, microsecond=ns % NS // 1000)


def ledger(received_ns: int, redactions: dict[str, int] | None = None) -> Row:
    return {
        "origin": "fixture/collector",
        "entry": 1,
        "entry_row": 0,
        "salt": b"0" * 16,
        "received_ns": received_ns,
        "clock_flagged": False,
        "redactions": list((redactions or {}).items()),
        "policy_hash": "fixture",
        "schema_version": 1,
    }


def texts(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in attributes.items()]


@dataclass
class Agent:
    """One run of one agent: opens, closes and numbers its records."""

    run: str
    name: str
    tenant: str
    release: str
    session: str | None
    actor: str | None
    rows: Any
    made: int = 0
    opened: dict[str, Row] = field(default_factory=dict)

    def _id(self, what: str) -> str:
        self.made += 1
        return hashlib.sha256(f"{self.run}{self.made}{what}".encode()).hexdigest()

    @property
    def trace(self) -> str:
        return hashlib.sha256(self.run.encode()).hexdigest()[:32]

    def _identity(self) -> Row:
        return {
            "run_id": self.run,
            "session_id": self.session,
            "tenant": self.tenant,
            "project": "fixture",
            "environment": "production",
            "release": self.release,
            "agent_name": self.name,
            "agent_id": f"{self.name}-1",
            "agent_version": self.release,
            "actor": self.actor,
            "resource_attributes": texts({"service.name": self.name, "service.version": self.release}),
            "scope_name": "fixture",
            "scope_version": "1",
            "dialect": "genai",
            "dialect_version": 1,
            "sequence": self.made,
        }

    def open(self, kind: str, name: str, start: int, *, parent: str | None = None, **columns: Any) -> str:
        span_id = self._id(name)[:16]
        self.opened[span_id] = {
            **self._identity(),
            "trace_id": self.trace,
            "span_id": span_id,
            "parent_span_id": parent,
            "name": name,
            "kind": 1,
            "start_ns": start,
            "step_kind": kind,
            "attributes": texts({"auditlake.kind": kind}),
            **columns,
        }
        return span_id

    def close(
        self,
        span_id: str,
        end: int,
        *,
        error: tuple[str, str] | None = None,
        attributes: dict[str, Any] | None = None,
        redactions: dict[str, int] | None = None,
        **columns: Any,
    ) -> int:
        row = self.opened.pop(span_id)
        row |= {
            "end_ns": end,
            "start_time": time(row["start_ns"]),
            "end_time": time(end),
            "status_code": 2 if error else 0,
            "latency_ms": (end - row["start_ns"]) / 1e6,
        }
        row |= {"error_type": error[0], "status_message": error[1]} if error else {}
        row["attributes"] = row["attributes"] + texts(attributes or {})
        self.rows.spans.append(row | columns | ledger(end + 2_000_000, redactions))
        return end

    def model(
        self,
        rng: random.Random,
        parent: str,
        start: int,
        talk: list[Any],
        said: str,
        model: str,
        provider: str,
        *,
        call: str,
        redactions: dict[str, int] | None = None,
    ) -> int:
        given, out = 240 + 190 * len(talk) + rng.randint(0, 90), rng.randint(30, 260)
        price = PRICES.get(model)
        span = self.open("model", f"chat {model}", start, parent=parent)
        answer = [
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": said},
                    {"type": "tool_call", "id": "call-1", "name": call, "arguments": {"why": "needed"}},
                ],
                "finish_reason": "tool_call",
            }
        ]
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "gen_ai.system_instructions": [{"type": "text", "content": "You are careful. Never promise what policy does not allow."}],
            "gen_ai.input.messages": talk,
            "gen_ai.output.messages": answer,
            "gen_ai.usage.input_tokens": given,
            "gen_ai.usage.output_tokens": out,
        }
        return self.close(
            span,
            start + int(rng.lognormvariate(0.1, 0.5) * 0.9 * NS),
            attributes=attributes,
            redactions=redactions,
            provider=provider,
            model=model,
            model_requested=model,
            operation="chat",
            input_tokens=given,
            output_tokens=out,
            cache_read_tokens=given // 3 if len(talk) > 1 else 0,
            response_id=span,
            cost_usd=(given * price[0] + out * price[1]) / 1e6 if price else None,
            cost_source="genai-prices" if price else "unknown model",
            price_version="genai-prices 0.0.60" if price else None,
            finish_reason="tool_call",
            prompt_version="support-v7",
        )

    def tool(
        self,
        rng: random.Random,
        parent: str,
        start: int,
        name: str,
        given: Any,
        gave: Any,
        effect: str,
        *,
        retries: int = 0,
        fails: bool = False,
    ) -> int:
        span = self.open("tool", f"execute_tool {name}", start, parent=parent)
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.arguments": given,
            "auditlake.tool.retry_count": retries,
        }
        if gave is not None:
            attributes["gen_ai.tool.call.result"] = gave
        return self.close(
            span,
            start + int(rng.lognormvariate(-1.2, 0.7) * NS),
            attributes=attributes,
            tool_name=name,
            tool_call_id="call-1",
            side_effect=effect,
            operation="execute_tool",
            requires_approval=name == "issue_refund",
            error=("PaymentGatewayTimeout", "gateway did not answer in 10 s") if fails else None,
        )

    def retrieval(self, rng: random.Random, parent: str, start: int) -> int:
        span = self.open("retrieval", "retrieve policy", start, parent=parent)
        attributes = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": "refund policy broken item",
            "auditlake.retrieval.source_ids": ["doc-12", "doc-31"],
            "auditlake.retrieval.freshness_seconds": 7200,
            "auditlake.retrieval.access_decision": "allow",
        }
        return self.close(span, start + int(rng.uniform(0.05, 0.2) * NS), attributes=attributes, operation="retrieval")

    def memory(self, parent: str, start: int) -> int:
        span = self.open("memory", "update_memory", start, parent=parent)
        attributes = {
            "auditlake.memory.operation": "write",
            "auditlake.memory.write_ids": ["m-2"],
            "auditlake.memory.retention_class": "session",
            "auditlake.memory.policy_basis": "consent",
        }
        return self.close(span, start + 6_000_000, attributes=attributes, operation="update_memory")

    def event(self, name: str, at: int, *, kind: str, parent: str | None = None, **columns: Any) -> None:
        self._id(name)
        extra = {"auditlake.checkpoint.name": "final_response", "auditlake.checkpoint.state": "completed"} if kind == "checkpoint" else {}
        if kind == "approval":
            extra = {
                "auditlake.approval.approver_role": "shift-lead",
                "auditlake.approval.expires_at": time(at + 900 * NS).isoformat() + "Z",
            }
        if kind == "policy":
            extra = {"auditlake.policy.effect": "blocked" if columns.get("decision") == "deny" else "allowed"}
        self.rows.events.append(
            event(name, at, self._identity() | {"trace_id": self.trace, "span_id": parent, "step_kind": kind} | columns, extra)
        )


def event(name: str, at: int, columns: Row, attributes: dict[str, Any], *, severity: int = 9) -> Row:
    return {
        "time": time(at),
        "observed_time": time(at),
        "time_ns": at,
        "observed_ns": at,
        "severity_number": severity,
        "severity_text": "INFO",
        "event_name": name,
        "attributes": texts(attributes),
        **columns,
        **ledger(at + 1_000_000),
    }


def heartbeats(now_ns: int) -> Iterator[Row]:
    """Four agents: alive, late, down for an hour, and one that said goodbye."""
    for name, age, status in (("support-agent", 12, "busy"), ("research-agent", 100, "idle"), ("billing-agent", 3600, "idle")):
        for beat in range(6):
            columns = {"agent_name": name, "agent_id": f"{name}-1", "tenant": "acme", "step_kind": "heartbeat", "release": "2.4.1"}
            yield event(
                "heartbeat",
                now_ns - (age + 60 * beat) * NS,
                columns,
                {
                    "auditlake.heartbeat.status": status,
                    "auditlake.heartbeat.message": "waiting for work",
                    "auditlake.heartbeat.interval_seconds": 60,
                    "auditlake.heartbeat.config_version": "12",
                    "auditlake.heartbeat.newest_config_version": "13",
                    "auditlake.heartbeat.cpu_percent": 3.5,
                    "auditlake.heartbeat.memory_bytes": 81_000_000,
                },
            )
    columns = {"agent_name": "planner-agent", "agent_id": "planner-agent-1", "tenant": "initech", "step_kind": "heartbeat"}
    yield event(
        "heartbeat", now_ns - 5000 * NS, columns, {"auditlake.heartbeat.status": "idle", "auditlake.heartbeat.interval_seconds": 60}
    )
    yield event("agent.shutdown", now_ns - 4990 * NS, columns, {})


def alerts(now_ns: int) -> Iterator[Row]:
    """One firing, one pending, one resolved."""
    told = (
        (
            "AgentDown",
            "critical",
            "f1",
            [(3500, "pending"), (3400, "firing")],
            {"agent_name": "billing-agent"},
            "billing-agent has sent no heartbeat for 5 minutes",
        ),
        ("HighErrorRate", "warning", "f2", [(240, "pending")], {"agent_name": "billing-agent"}, "35 % of the runs of billing-agent failed"),
        (
            "CostSpike",
            "warning",
            "f3",
            [(9000, "firing"), (5000, "resolved")],
            {"agent_name": "research-agent"},
            "research-agent spends 3 times as usual",
        ),
    )
    for name, severity, fingerprint, changes, labels, summary in told:
        for age, state in changes:
            yield event(
                "alert.transition",
                now_ns - age * NS,
                {"scope_name": "auditlake.alerts", "step_kind": "other", "agent_name": "auditlake"},
                {
                    "auditlake.alert.name": name,
                    "auditlake.alert.group": "agents",
                    "auditlake.alert.state": state,
                    "auditlake.alert.severity": severity,
                    "auditlake.alert.fingerprint": fingerprint,
                    "auditlake.alert.value": 0.35,
                    "auditlake.alert.labels": labels,
                    "auditlake.alert.summary": summary,
                    "auditlake.alert.active_at": time(now_ns - changes[0][0] * NS).isoformat() + "Z",
                },
            )


def ack_metrics(now_ns: int, hours: float, rng: random.Random) -> Iterator[Row]:
    """The collector's own acknowledgement histogram, a point every ten minutes and class."""
    bounds = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    for step in range(int(hours * 6)):
        at = now_ns - step * 600 * NS
        for kind in ("audit", "bulk"):
            counts = [
                rng.randint(20, 60),
                rng.randint(200, 400),
                rng.randint(60, 120),
                rng.randint(5, 20),
                rng.randint(0, 6),
                int(rng.random() < 0.2),
                0,
                0,
            ]
            yield {
                "metric_name": "auditlake.ack.duration",
                "unit": "s",
                "type": "histogram",
                "temporality": "delta",
                "time": time(at),
                "start_time": time(at - 10 * NS),
                "time_ns": at,
                "start_ns": at - 10 * NS,
                "count": sum(counts),
                "sum": 0.002 * sum(counts),
                "min": 0.0006,
                "max": 0.018,
                "bucket_bounds": [bound / 1000 for bound in bounds],
                "bucket_counts": counts,
                "attributes": texts({"class": kind}),
                "scope_name": "auditlake.collector",
                "resource_attributes": texts({"service.name": "auditlake"}),
                **ledger(at),
            }
