"""The support agent, with the SDK: retrieval, policy, approvals, durable audit records; now and then a refund without approval."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import auditlake
import structlog

from cli.demo import operations
from cli.demo.content import SIDE_EFFECTS, SYSTEM_PROMPT, Ticket, ticket
from cli.demo.process import ENVIRONMENT, RELEASE, TENANT, Process, start

MODEL = "gpt-4o-mini"
ANSWERED_BY = "gpt-4o-mini-2024-07-18"
BEAT_SECONDS = 10.0
UNAPPROVED_EVERY = 6
AGES_SECONDS = (3600.0, 86_400.0, 604_800.0)
"""How old the handbook is that is found: every third time older than it may be."""
MAX_AGE_SECONDS = 259_200.0


def main() -> None:
    """Answer tickets until stopped."""
    process = start("support")
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # the terminal is the demo's
    auditlake.configure(
        "support", endpoint=process.endpoint, tenant=TENANT, environment=ENVIRONMENT, release=RELEASE, agent_name="support",
        agent_version=RELEASE, delay_seconds=0.5,
    )  # fmt: skip
    operations.announce(MODEL)
    done = refunds = 0
    while process.more(done):
        auditlake.heartbeat(
            "busy", interval_seconds=BEAT_SECONDS, config_version=operations.CONFIG_VERSION,
            newest_config_version=operations.NEWEST_CONFIG_VERSION, cpu_percent=12.5, memory_bytes=96_000_000,
        )  # fmt: skip
        operations.routine(process, done)
        auditlake.queue_depth("tickets", process.rng.randint(0, 6))
        auditlake.queue_depth("tickets", 1, assigned=True)
        asked = ticket(process.rng, "refund" if done < 3 else None)
        if asked.kind == "refund":
            refunds += 1
        answer(process, asked, done, approve=refunds % UNAPPROVED_EVERY != 2)
        done += 1
        process.pause(process.rng.uniform(1.0, 3.0))
    auditlake.shutdown("the demo stops", timeout_seconds=2.0)


def answer(process: Process, asked: Ticket, done: int, *, approve: bool) -> None:
    """Answer one ticket; `approve` false leaves out the approval that a refund needs."""
    rng, began = process.rng, time.monotonic()
    task_id = operations.received(process, asked)
    session, customer = f"chat-{rng.randint(100, 999)}", f"customer-{rng.randint(1, 60)}"
    with auditlake.run(task_type=asked.kind, actor=customer, session_id=session, input_ref=asked.reference) as run:
        auditlake.checkpoint("accepted_request", state="thinking")
        auditlake.task(task_id, "in_progress", task_type=asked.kind)
        operations.guarded(process, asked, done)
        with auditlake.memory("read", store="customers", policy_basis="contract") as memory:
            process.work(0.01, 0.05)
            memory.ids(read=[f"{customer}/preferences"])
        read_handbook(process, asked, AGES_SECONDS[done % len(AGES_SECONDS)])
        decide(process, asked)
        planned = time.monotonic()
        looked_up = look_up(process, asked)
        auditlake.policy_decision(
            action=asked.tool, decision="allow", version=operations.POLICY_VERSION, reason_code="within_limit", effect="none",
            latency_ms=round(rng.uniform(1, 9), 2),
        )  # fmt: skip
        if asked.kind == "refund" and approve and not approved(process, asked, task_id):
            operations.escalated(asked)
            run.stop("cancelled")
        else:
            act(process, asked)
        reply(process, asked)
        score = round(min(rng.gauss(0.86, 0.08), 1.0), 2)
        auditlake.evaluation("helpfulness", score=score, threshold=0.7, case_id=f"case-{asked.kind}", evaluator_version="3")
        auditlake.checkpoint("final_response", state="completed")
        operations.reviewed(process, asked, task_id, score)
        satisfaction, ended = rng.choice((0.6, 0.8, 1.0, 1.0)), time.monotonic()
        run.durations(planning_ms=(planned - began) * 1000, execution_ms=(ended - planned) * 1000)
        run.quality(score).satisfaction(satisfaction)
        operations.measured(asked, ended - began, score, satisfaction, looked_up=looked_up)


def read_handbook(process: Process, asked: Ticket, age_seconds: float) -> None:
    """Find what the handbook says."""
    with auditlake.retrieval("handbook", query=asked.question) as found:
        process.work(0.03, 0.15)
        found.sources(
            asked.documents, scores=[round(0.94 - 0.12 * rank, 2) for rank in range(len(asked.documents))],
            freshness_seconds=age_seconds, max_age_seconds=MAX_AGE_SECONDS, access_decision="allow", citation_required=False,
        )  # fmt: skip
        found.evidence(
            missing=False, stale=[asked.documents[-1]] if age_seconds > MAX_AGE_SECONDS else [], forbidden=[], citation_failures=0
        )


def decide(process: Process, asked: Ticket) -> None:
    """Let the model choose the tool."""
    with auditlake.model_call(MODEL, provider="openai", prompt_name="support", prompt_version="7", input_ref=asked.reference) as call:
        process.work(0.4, 1.0)
        request = {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": f"call-{asked.order}", "name": asked.tool, "arguments": asked.arguments}],
        }
        call.messages(input=asked.question, output=[request], system=SYSTEM_PROMPT)
        call.tokens(input=process.rng.randint(1400, 2600), output=process.rng.randint(30, 70), cache_read=1024)
        call.result(finish_reason="tool_calls", response_id=f"chatcmpl-{uuid.uuid4().hex[:24]}", model=ANSWERED_BY)


def look_up(process: Process, asked: Ticket) -> bool:
    """Look the order up; the shop's database is now and then slow. Return whether it answered."""
    with auditlake.tool_call(
        "lookup_order", arguments={"order": asked.order}, side_effect="read", authorization="policy:orders-read"
    ) as tool:
        process.work(0.05, 0.25)
        if process.rng.random() < 0.03:
            tool.error("Timeout", "the order database did not answer within 250 ms")
            auditlake.resilience_event("fallback", "orders-db", fallback="orders-replica", error_type="Timeout")
            return False
        tool.result({"order": asked.order, "status": process.rng.choice(("delivered", "in transit", "returned")), "total": asked.amount})
    return True


def approved(process: Process, asked: Ticket, task_id: str) -> bool:
    """Ask the shift lead; return the answer, which is rarely no."""
    expires = datetime.now(UTC) + timedelta(minutes=15)
    role = "shift-lead"
    auditlake.approval(action=asked.tool, state="requested", approver_role=role, expires_at=expires, tool_name=asked.tool)
    auditlake.checkpoint("approval_request", state="waiting")
    auditlake.task(task_id, "blocked", task_type=asked.kind, message="waits for the shift lead")
    process.work(0.3, 0.9)
    granted = process.rng.random() > 0.05
    auditlake.approval(
        action=asked.tool, state="granted" if granted else "denied", approver_role=role, expires_at=expires, tool_name=asked.tool,
        approver=f"lead-{process.rng.randint(1, 4)}",
    )  # fmt: skip
    auditlake.task(task_id, "in_progress", task_type=asked.kind)
    return granted


def act(process: Process, asked: Ticket) -> None:
    """Call the ticket's tool; a refund only after its audit record is durable."""
    is_refund = asked.kind == "refund"
    with auditlake.tool_call(
        asked.tool, arguments=asked.arguments, call_id=f"call-{asked.order}", authorization=f"policy:{asked.kind}",
        side_effect=SIDE_EFFECTS[asked.kind], requires_approval=is_refund or None, retry_count=0,
        idempotency_key=f"{asked.kind}-{asked.order}",
    ) as tool:  # fmt: skip
        try:
            auditlake.audit(f"{asked.kind}.execute", f"order/{asked.order}", "success", latency_ms=round(process.rng.uniform(20, 90), 1))
        except auditlake.AuditError as error:
            tool.error(error)
            return
        process.work(0.1, 0.4)
        tool.result({"ok": True, "reference": f"{asked.kind}-{asked.order}"})
    structlog.get_logger().info("the ticket is settled", ticket=asked.reference, tool=asked.tool)


def reply(process: Process, asked: Ticket) -> None:
    """Let the model write the answer."""
    with auditlake.model_call(MODEL, provider="openai", prompt_name="support", prompt_version="7", input_ref=asked.reference) as call:
        process.work(0.4, 1.2)
        call.messages(input=asked.question, output=asked.answer, system=SYSTEM_PROMPT)
        call.tokens(input=process.rng.randint(1700, 3200), output=process.rng.randint(60, 180), cache_read=1024)
        call.result(finish_reason="stop", response_id=f"chatcmpl-{uuid.uuid4().hex[:24]}", model=ANSWERED_BY)


if __name__ == "__main__":
    main()
