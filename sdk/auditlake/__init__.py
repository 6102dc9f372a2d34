"""The SDK of auditlake, the flight recorder for AI agents: emit runs, decisions and evidence over plain OpenTelemetry.

    import auditlake

    auditlake.configure("support-agent", endpoint="http://127.0.0.1:4318", tenant="acme", environment="production")

    with auditlake.run(task_type="refund", actor="user-7", session_id="chat-12") as run:
        with auditlake.model_call("gpt-4o-mini", provider="openai", prompt_version="3") as call:
            call.tokens(input=812, output=64).result(finish_reason="tool_calls")
        with auditlake.tool_call("lookup_order", arguments={"order": 81}, side_effect="read") as tool:
            tool.result({"status": "delivered"})
        auditlake.audit("refund.issue", "order/81", "success")   # returns once it is durable

Everything but `audit()` is queued and never blocks; before `configure()` it does nothing.
"""

from auditlake import metrics
from auditlake._audit import Receipt, audit
from auditlake._begin import agent, memory, model_call, retrieval, run, tool_call
from auditlake._budget import Budget, budget
from auditlake._configure import Handle, configure
from auditlake._errors import AuditError, AuditlakeError, BudgetError, ConfigurationError
from auditlake._events import approval, checkpoint, dropped, evaluation, flush, handoff, policy_decision, retrieval_issue, shutdown
from auditlake._lookups import Memory, Retrieval
from auditlake._operations import (
    credential_rotation,
    heartbeat,
    incident,
    queue_depth,
    resilience_event,
    rollout,
    security_event,
    task,
    trust_handshake,
)
from auditlake._settings import Settings
from auditlake._steps import Agent, ModelCall, Run, Step, ToolCall
from auditlake._structlog import structlog_processor

__all__ = [
    "Agent",
    "AuditError",
    "AuditlakeError",
    "Budget",
    "BudgetError",
    "ConfigurationError",
    "Handle",
    "Memory",
    "ModelCall",
    "Receipt",
    "Retrieval",
    "Run",
    "Settings",
    "Step",
    "ToolCall",
    "agent",
    "approval",
    "audit",
    "budget",
    "checkpoint",
    "configure",
    "credential_rotation",
    "dropped",
    "evaluation",
    "flush",
    "handoff",
    "heartbeat",
    "incident",
    "memory",
    "metrics",
    "model_call",
    "policy_decision",
    "queue_depth",
    "resilience_event",
    "retrieval",
    "retrieval_issue",
    "rollout",
    "run",
    "security_event",
    "shutdown",
    "structlog_processor",
    "task",
    "tool_call",
    "trust_handshake",
]
