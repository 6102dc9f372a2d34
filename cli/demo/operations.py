"""What the support agent says about its operation: changes, trust, tasks, security, resilience, and how well it does."""

from typing import Final

import auditlake
from auditlake import metrics

from cli.demo.content import Ticket
from cli.demo.process import RELEASE, Process

POLICY_VERSION: Final = "2026-11"
PROMPT_VERSION: Final = "7"
CONFIG_VERSION: Final = "12"
NEWEST_CONFIG_VERSION: Final = "13"
OWNER: Final = "team-support"
ROLLBACK_OWNER: Final = "sre-oncall"
ATTACK_EVERY: Final = 4
FIRST_ATTACK: Final = 1
ROTATE_EVERY: Final = 10
FLAG_EVERY: Final = 12


def announce(model: str) -> None:
    """Say which release runs, with everything that the release gate compares."""
    auditlake.rollout(
        "full", change="release", resource="support", release=RELEASE, commit="9f2c1d7", model=model, prompt_version=PROMPT_VERSION,
        tool_schema_version="4", policy_version=POLICY_VERSION, dataset_version="2026-11-18", owner=OWNER, rollback_owner=ROLLBACK_OWNER,
        message="all traffic, after three days as a canary",
    )  # fmt: skip


def routine(process: Process, done: int) -> None:
    """What happens between tickets: handshakes, now and then a rotation that fails once, a flag that is switched."""
    auditlake.trust_handshake("orders-service", outcome="success", latency_ms=round(process.rng.uniform(20, 90), 1))
    if done % ROTATE_EVERY == 0:
        failed = process.rng.random() < 0.1
        auditlake.credential_rotation(
            "orders-db", outcome="failure" if failed else "success", latency_ms=round(process.rng.uniform(80, 400), 1),
            reason_code="vault_unavailable" if failed else None,
        )  # fmt: skip
    if done % FLAG_EVERY == FLAG_EVERY - 1:
        is_on = done // FLAG_EVERY % 2 == 0
        auditlake.rollout("on" if is_on else "off", change="flag", resource="refund-fast-lane", owner=OWNER, rollback_owner=ROLLBACK_OWNER)


def received(process: Process, asked: Ticket) -> str:
    """Create the ticket's task, and return its id: a ticket that comes again is another task."""
    task_id = f"{asked.reference}-{process.rng.getrandbits(32):08x}"
    auditlake.task(task_id, "created", task_type=asked.kind)
    process.work(0.02, 0.1)
    auditlake.task(task_id, "assigned", task_type=asked.kind)
    return task_id


def reviewed(process: Process, asked: Ticket, task_id: str, score: float) -> None:
    """Submit the reply, and let the review send a poor one back."""
    deliverable = f"reply-{asked.order}"
    auditlake.task(task_id, "submitted", task_type=asked.kind, deliverable=deliverable)
    process.work(0.02, 0.1)
    auditlake.task(task_id, "reviewed", task_type=asked.kind, deliverable=deliverable, review="approved" if score >= 0.75 else "rejected")
    auditlake.task(task_id, "done", task_type=asked.kind, deliverable=deliverable)


def guarded(process: Process, asked: Ticket, done: int) -> None:
    """Say what the guard saw in the ticket: every fourth tries to talk the agent into something, the first of them in earnest."""
    if done % ATTACK_EVERY != FIRST_ATTACK:
        return
    score = round(process.rng.uniform(0.85 if done == FIRST_ATTACK else 0.4, 0.98), 2)
    blocked = score > 0.8
    auditlake.security_event(
        "injection" if blocked else "content_filtered", threat_level="high" if blocked else "low", threat_score=score,
        disposition="blocked" if blocked else "allowed_with_monitoring", detector="prompt-guard/2", resource=asked.reference,
        outcome="denied" if blocked else "success", reason_code="instruction_override" if blocked else "suspicious_phrase",
    )  # fmt: skip


def escalated(asked: Ticket) -> None:
    """Hand a refund that was refused over to people."""
    auditlake.handoff("human-desk", message="the shift lead refused the refund")
    auditlake.resilience_event("escalation", asked.reference, reason_code="approval_denied")


def measured(asked: Ticket, seconds: float, score: float, satisfaction: float, *, looked_up: bool) -> None:
    """Record how well it went."""
    metrics.request_duration(seconds, task_type=asked.kind, outcome="success")
    metrics.task_completion(outcome="success", task_type=asked.kind)
    metrics.satisfaction(satisfaction, task_type=asked.kind)
    metrics.reasoning_accuracy(score, task_type=asked.kind)
    metrics.confidence_calibration(0.9, correct=score >= 0.7, task_type=asked.kind)
    metrics.tool_success_rate(1.0 if looked_up else 0.0, tool_name="lookup_order")
    metrics.memory_retrieval_efficiency(1.0, store="customers")
    metrics.cost_per_interaction(0.0011, task_type=asked.kind)
    if score < 0.7:
        metrics.uncertainty_handling("escalated", task_type=asked.kind)
