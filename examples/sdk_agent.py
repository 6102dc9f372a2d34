"""A minimal agent with auditlake-sdk: a task and its numbered run, a decision, an approval, and a durable audit record.

pip install auditlake-sdk
python examples/sdk_agent.py [http://127.0.0.1:4318]
"""

import sys
from datetime import UTC, datetime, timedelta

import auditlake


def main(endpoint: str) -> int:
    """Refund one order; 1 when its audit record could not be made durable, and then nothing is refunded."""
    auditlake.configure("refund-agent", endpoint=endpoint, tenant="acme", environment="dev", release="1.0", agent_name="refund-agent")
    auditlake.rollout("full", change="release", resource="refund-agent", release="1.0", owner="team-support", rollback_owner="sre-oncall")
    auditlake.heartbeat("busy", interval_seconds=60)
    auditlake.queue_depth("refunds", 1)
    auditlake.task("ticket-81", "created", task_type="refund")
    with auditlake.run("refund", actor="user-7", session_id="chat-12", input_ref="ticket-81") as run:
        auditlake.task("ticket-81", "in_progress", task_type="refund")
        with auditlake.model_call("gpt-4o-mini", provider="openai", prompt_version="3", input_ref="ticket-81") as call:
            call.messages(input="The lamp from order 81 arrived broken.", output="I will refund it.")
            call.tokens(input=412, output=23).result(finish_reason="tool_calls")
        auditlake.policy_decision(
            action="issue_refund", decision="allow", version="2026-11", reason_code="within_limit", effect="needs_approval"
        )
        expires = datetime.now(UTC) + timedelta(minutes=15)
        auditlake.approval(
            action="issue_refund", state="requested", approver_role="shift-lead", expires_at=expires, tool_name="issue_refund"
        )
        auditlake.approval(
            action="issue_refund",
            state="granted",
            approver_role="shift-lead",
            expires_at=expires,
            tool_name="issue_refund",
            approver="lead-4",
        )
        with auditlake.tool_call(
            "issue_refund",
            arguments={"order": 81, "amount": 30},
            authorization="approval:lead-4",
            side_effect="external",
            requires_approval=True,
            idempotency_key="refund-81",
        ) as tool:
            try:
                receipt = auditlake.audit("refund.issue", "order/81", "success", actor="user-7")
            except auditlake.AuditError as error:
                tool.error(error)
                run.stop("error")
                print(f"not refunded: {error}", file=sys.stderr)
                return 1
            tool.result({"refunded": 30, "audit": receipt.digest})
        auditlake.task("ticket-81", "done", task_type="refund", deliverable="refund-81")
    auditlake.metrics.task_completion(outcome="success", task_type="refund")
    auditlake.shutdown("done")
    print(f"durable after {receipt.latency_ms:.1f} ms; look at it with: auditlake run {run.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4318"))
