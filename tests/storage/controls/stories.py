"""The runs that the controls are tested on, each named after what happened in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.lake_builder import START_NS, Row, event, model, span


@dataclass
class Story:
    """One run, step by step; times are seconds from its beginning."""

    run: str
    spans: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)

    def call(self, tool: str = "issue_refund", at: float = 100, **columns: Any) -> "Story":
        columns = {"side_effect": "external", "requires_approval": True} | columns
        self.spans.append(self._of(span(f"{tool}@{at}", at=at, step_kind="tool", tool_name=tool, **columns)))
        return self

    def policy(self, decision: str | None = "allow", at: float = 10, action: str | None = "issue_refund", **columns: Any) -> "Story":
        self.events.append(self._of(event("policy.decision", at=at, step_kind="policy", decision=decision, action=action, **columns)))
        return self

    def approval(self, state: str = "granted", at: float = 20, action: str | None = "issue_refund", **columns: Any) -> "Story":
        expires = columns.pop("expires", None)
        attributes = {} if expires is None else {"auditlake.approval.expires_at": expires}
        columns = {"approver": "lead-4" if state == "granted" else None} | columns
        row = event("approval", at=at, step_kind="approval", approval_state=state, action=action, attributes=attributes, **columns)
        self.events.append(self._of(row))
        return self

    def span(self, name: str, **columns: Any) -> "Story":
        self.spans.append(self._of(span(name, **columns)))
        return self

    def event(self, name: str, **columns: Any) -> "Story":
        self.events.append(self._of(event(name, **columns)))
        return self

    def model(self, name: str, **columns: Any) -> "Story":
        self.spans.append(self._of(model(name, **columns)))
        return self

    def _of(self, row: Row) -> Row:
        return row | {
            "run_id": self.run,
            "trace_id": self.run,
            "actor": "customer-9",
            "agent_id": "agent-1",
            "release": "2.0",
            "tenant": "acme",
        }


def stories() -> Iterator[Story]:
    """Every run of the lake."""
    yield Story("good").policy().approval("requested", at=15).approval().call()
    yield Story("by call id").policy(action=None, tool_call_id="c1").approval(action=None, tool_call_id="c1").call(tool_call_id="c1")
    yield Story("by tool name").policy(action=None, tool_name="issue_refund").approval(action="pay back", tool_name="issue_refund").call()
    yield Story("decided long before, then allowed again").policy(at=-9000).policy(at=90).approval().call()
    yield Story("denied then granted").policy("deny", at=5).policy(at=10).approval("denied", at=15).approval(at=20).call()
    yield Story("not expired").policy().approval(expires="2026-11-21T12:01:41Z").call()
    yield Story("expires with an offset").policy().approval(expires="2026-11-21T14:01:41+02:00").call()
    yield Story("a read").call("look_up", side_effect="read", requires_approval=None)
    yield Story("exact action").policy(action="refund order 81").approval(action="refund order 81").call(action="refund order 81")
    yield Story("guardrail").span("guard", at=10, step_kind="policy", decision="allowed", action="issue_refund").approval().call()
    yield (
        Story("claude code")
        .span("t", at=1, took=60, step_kind="tool", tool_name="Bash", side_effect="write", requires_approval=True)
        .policy(action=None, tool_name="Bash", at=9)
        .approval(action=None, tool_name="Bash", at=20)
        .span("claude_code.tool.execution", at=30, parent="t", step_kind="other")
    )

    yield Story("no decision").approval().call()
    yield Story("denied").policy("deny").approval().call()
    yield Story("blocked").policy("Blocked").approval().call()
    yield Story("allowed then denied").policy(at=5).policy("deny", at=10).approval().call()
    yield Story("undecided").policy(None).approval().call()
    yield Story("doubted").policy("flag").approval().call()
    yield Story("outcome told after").policy(at=10).policy(None, at=11).approval().call()
    yield Story("decided after").policy(at=101).approval().call()
    yield Story("stale decision").policy(at=-3600).approval().call()
    yield Story("decision on another action").policy(action="look_up").approval().call()
    yield Story("decision on another call").policy(tool_call_id="c1").approval().call(tool_call_id="c2")
    yield Story("decision of another tool with this action").policy(tool_name="look_up", action="issue_refund").approval().call()
    yield (
        Story("decision on another object")
        .policy(action="refund order 82")
        .approval(action="refund order 81")
        .call(action="refund order 81")
    )

    yield Story("no approval").policy().call()
    yield Story("asked only").policy().approval("requested").call()
    yield Story("asked again").policy().approval().approval("requested", at=50).call()
    yield Story("refused").policy().approval("denied").call()
    yield Story("granted then refused").policy().approval().approval("denied", at=50).call()
    yield Story("void").policy().approval().approval("expired", at=50).call()
    yield Story("expired").policy().approval(expires="2026-11-21T12:01:39Z").call()
    yield Story("granted after").policy().approval(at=100.5).call()
    yield Story("approval of another action").policy().approval(action="delete_account").call()
    yield Story("approval of another call").policy().approval(tool_call_id="c1").call(tool_call_id="c2")
    yield (
        Story("approval of another object")
        .policy(action="refund order 81")
        .approval(action="refund order 82")
        .call(action="refund order 81")
    )
    yield Story("asked for, though not required").policy().approval("requested").call(requires_approval=None)
    yield Story("self").policy().approval(approver="Customer-9").call()
    yield Story("agent").policy().approval(approver="support").call()
    yield Story("agent id").policy().approval(approver=" agent-1 ").call()
    yield Story("nobody").policy().approval(approver=None).call()
    yield Story("withheld approver").policy().approval(approver="<PERSON>").call()

    yield Story("self in other signs").policy().approval(approver=" Custo\u200bmer_9").call()
    yield Story("self by address").policy().approval(approver="CUSTOMER-9@shop.test").call()
    yield Story("agent in other signs").policy().approval(approver="S\u00fapport ").call()
    yield Story("expiry in no known form").policy().approval(expires="next week").call()
    yield Story("rubber-stamped").policy().approval("requested", at=150).approval(at=160).call(requires_approval=None)
    yield Story("two calls, one approval").policy().call(at=30, requires_approval=None).approval(at=90).call(requires_approval=None)
    yield Story("granted in other words").policy("ALLOW ").approval(" Approved", approver="lead-4").call()
    yield Story("refused in other words").policy(" Deny").approval("Declined").call()
    yield Story("side effect in other words").call("wipe", requires_approval=None, side_effect="Destructive")
    yield Story("side effect kept back").call("issue_refund", requires_approval=None, side_effect=None)

    yield Story("refused and not run").policy("deny").approval("denied").call(error_type="PermissionDenied", status_code=2)
    codex = {"dialect": "codex", "side_effect": None, "requires_approval": None}
    yield Story("refused by codex").approval("denied", action="shell").call("shell", outcome="failure", error_type="tool_error", **codex)
    yield Story("run by codex").approval("denied", action="shell").call("shell", outcome="success", **codex)
    yield Story("the grantor").policy().approval()
    yield Story("the thief").call()

    yield Story("retried with a key").call(
        "send", requires_approval=None, attributes={"auditlake.tool.idempotency_key": "k"}, retry_count=1
    )
    yield Story("retried with a blank").call(
        "send", requires_approval=None, attributes={"auditlake.tool.idempotency_key": " "}, retry_count=1
    )
    yield Story("retried").call("send", requires_approval=None, retry_count=1)
    yield Story("unclassified").call("send", requires_approval=None, side_effect=None)

    yield Story("ended").span("root", step_kind="run")
    yield Story("abandoned").event("run.started", step_kind="run")
    yield Story("still going").event("run.started", step_kind="run", at=86_000)
    yield Story("with a gap").span("root", step_kind="run", sequence=1, sequence_last=3)
    yield Story("with an orphan").span("root", step_kind="run").span("child", parent="gone")
    yield Story("answered").model("m", model="gpt-5-2026-01-02", model_requested="gpt-5")
    yield Story("not answered").model("m", model=None, model_requested="gpt-5")
    yield Story("an alias").model("m", model="mistral-large-latest")
    yield Story("failed call").model("m", model=None, model_requested="gpt-5", status_code=2)
    yield Story("remembers").span(
        "w", step_kind="memory", operation="update_memory", attributes={"auditlake.memory.retention_class": "session"}
    )
    yield Story("remembers for a blank").span(
        "w", step_kind="memory", operation="update_memory", attributes={"auditlake.memory.retention_class": " "}
    )
    yield Story("remembers for ever").span("w", step_kind="memory", operation="update_memory")
    yield Story("remembers ids").span("w", step_kind="memory", attributes={"auditlake.memory.write_ids": '["m-1"]'})
    yield Story("recalls").span("r", step_kind="memory", operation="search_memory")
    denied = {"auditlake.retrieval.access_decision": "deny"}
    yield Story("kept out").span("r", step_kind="retrieval", attributes=denied | {"auditlake.retrieval.source_ids": "[]"})
    yield Story("let in").span("r", step_kind="retrieval", attributes=denied | {"auditlake.retrieval.source_ids": '["doc-1"]'})
    refused = {"auditlake.retrieval.access_decision": "Forbidden ", "auditlake.retrieval.source_ids": '["doc-1"]'}
    yield Story("let in in other words").span("r", step_kind="retrieval", attributes=refused)
    yield Story("audited").event("agent_action", action="refund.issue", resource="order/81", outcome="success")
    yield Story("audited by halves").event("agent_action", action="refund.issue", resource="order/81")
    yield Story("withheld").span("s", redactions={"WITHHELD": 2, "EMAIL_ADDRESS": 1})
    yield Story("redacted").span("s", redactions={"EMAIL_ADDRESS": 1})
    yield Story("absurd clock").span("s", clock_flagged=True)
    yield Story("backwards").span("s", end_ns=START_NS - 1)
    yield Story("from the future").span("s", received_ns=START_NS - 400 * 1_000_000_000)
