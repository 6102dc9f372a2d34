"""The eight event types and the operations vocabulary arrive with their required fields."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import auditlake
import pytest
import structlog
import yaml
from auditlake import vocabulary as names
from auditlake._operations import ResilienceSubject

from tests.sdk.otlp_server import OtlpServer

SUBJECTS = get_args(ResilienceSubject)
Configure = Callable[..., auditlake.Handle]
REGISTRY = yaml.safe_load((Path(__file__).parents[2] / "collector/dialects/vocabulary.yaml").read_text())


def emit_every_event() -> None:
    auditlake.policy_decision(action="refund", decision="deny", version="2026-11", reason_code="over_limit", effect="blocked", latency_ms=3)
    expires = datetime(2026, 11, 21, 12, tzinfo=UTC)
    auditlake.approval(
        action="issue_refund", state="granted", approver_role="shift-lead", expires_at=expires, approver="lead-4", tool_name="issue_refund"
    )
    auditlake.evaluation("helpful", score=0.8, threshold=0.7, case_id="case-7", evaluator_version="3")
    auditlake.checkpoint("final_response", state="completed")
    auditlake.heartbeat("busy", interval_seconds=60, memory_bytes=81_000_000, config_version="12")
    auditlake.task("t-1", "reviewed", deliverable="report-3", review="approved")
    auditlake.handoff("billing")
    auditlake.retrieval_issue("citation_failure", source_ids=["doc-1"], data_source_id="handbook")
    auditlake.security_event("injection", threat_level="high", threat_score=0.93, disposition="allowed_with_monitoring", detector="guard/2")
    auditlake.rollout("canary", change="release", release="2.0", commit="9f2c1d7", owner="team-support", rollback_owner="sre-oncall")
    auditlake.trust_handshake("billing", outcome="success", latency_ms=80)
    auditlake.credential_rotation("orders-db", outcome="failure", latency_ms=12.5, reason_code="refused")
    due = datetime(2026, 11, 21, 6, tzinfo=UTC)
    for subject in SUBJECTS:
        state = "open" if subject == "circuit" else None
        auditlake.resilience_event(subject, "openai", state=state, attempt=2, fallback="gpt-4o-mini", due_at=due, provider="openai")
    auditlake.incident("inc-7", "opened", severity="critical")
    auditlake.incident("inc-7", "closed")
    structlog.get_logger().info(
        "agent_action", action="refund.issue", resource="order/81", outcome="success", latency_ms=12.5, agent_id="a-1"
    )


def test_every_event_of_the_registry_carries_its_required_fields(server: OtlpServer, configure: Configure) -> None:
    """What the contract asks of an event is what the function asks of its caller."""
    handle = configure(structlog=True)
    with auditlake.run() as run:
        emit_every_event()
    assert auditlake.shutdown()
    del handle
    sent = {record.name: record for record in server.logs}
    for name, event in REGISTRY["events"].items():
        if name in {"alert.transition", "telemetry.dropped", "queue.depth"}:  # the SDK sends the depth of a queue as a metric
            continue
        assert set(event["required"]) <= set(sent[name].attributes), name
    assert {record.attributes[names.RUN_ID] for record in server.logs if record.name != "agent.shutdown"} == {run.id}
    assert sent["approval"].attributes["auditlake.approval.expires_at"] == "2026-11-21T12:00:00Z"
    assert sent["resilience.missed_schedule"].attributes["auditlake.resilience.due_at"] == "2026-11-21T06:00:00Z"
    assert sent["gen_ai.evaluation.result"].attributes["auditlake.eval.passed"] is True


def test_events_carry_the_current_trace_context(server: OtlpServer, configure: Configure) -> None:
    """An event is found from the span in which it happened."""
    handle = configure()
    with auditlake.run() as run, auditlake.tool_call("refund") as tool:
        auditlake.policy_decision(action="refund", decision="allow", version="1", reason_code="ok", effect="none")
        span_id = tool.span.get_span_context().span_id.to_bytes(8)
    handle.flush()
    event = server.events("policy.decision")[0].message
    assert (event.trace_id.hex(), event.span_id) == (run.trace_id, span_id)
    assert event.time_unix_nano > 0


def test_structlog_events_become_log_records(server: OtlpServer, configure: Configure) -> None:
    """The text is the body, the fields are attributes, an exception is OpenTelemetry's."""
    handle = configure(structlog=True)
    log = structlog.get_logger().bind(order=81)
    with auditlake.run() as run:
        log.warning("the order is late", days=3, parts={"a": 1})
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it failed")
    handle.flush()
    late, failed = (record for record in server.logs if record.message.body.string_value)
    assert late.message.body.string_value == "the order is late"
    assert (late.attributes["order"], late.attributes["days"], late.attributes["parts"]) == (81, 3, '{"a": 1}')
    assert late.message.severity_text == "WARN"
    assert late.message.trace_id.hex() == run.trace_id
    assert (failed.attributes["exception.type"], failed.attributes["exception.message"]) == ("ValueError", "broken")
    assert "Traceback" in failed.attributes["exception.stacktrace"]


def test_agent_action_is_canonical(server: OtlpServer, configure: Configure) -> None:
    """The audit event of structlog has the canonical attributes, and its other fields beside them."""
    handle = configure(structlog=True)
    structlog.get_logger().info(
        "agent_action", agent_id="a-1", action="x", resource="y", outcome="denied", latency_ms=1.5, actor="u", why="z"
    )
    handle.flush()
    action = server.events("agent_action")[0].attributes
    expected = {"gen_ai.agent.id": "a-1", names.ACTION: "x", names.RESOURCE: "y", names.OUTCOME: "denied", names.LATENCY_MS: 1.5}
    assert {**expected, "user.id": "u", "why": "z"}.items() <= action.items()


def test_queue_depth_is_a_gauge(server: OtlpServer, configure: Configure) -> None:
    """The newest depth of each queue, assigned and not, is sent."""
    handle = configure(agent_name="support")
    auditlake.queue_depth("refunds", 12)
    auditlake.queue_depth("refunds", 7)
    auditlake.queue_depth("refunds", 2, assigned=True)
    handle.flush()
    depths = {point.attributes["auditlake.queue.assigned"]: point for point in server.points if point.name == "auditlake.queue.depth"}
    assert {assigned: point.message.as_int for assigned, point in depths.items()} == {False: 7, True: 2}
    assert depths[False].attributes["gen_ai.agent.name"] == "support"


def test_shutdown_says_that_the_agent_ended_on_purpose(server: OtlpServer, configure: Configure) -> None:
    """A closed handle alone (a crash, the end of a process) does not say so."""
    configure().shutdown()
    assert server.events("agent.shutdown") == []
    configure()
    assert auditlake.shutdown("maintenance")
    assert server.events("agent.shutdown")[0].message.body.string_value == "maintenance"


def test_settings_do_not_show_secrets() -> None:
    """A token or key in a traceback or a log would be a leak."""
    settings = auditlake.Settings(service_name="x", headers={"authorization": "Bearer t0ken"}, spool_dir="s", spool_key=b"k" * 32)
    assert "t0ken" not in repr(settings)
    assert "kkkk" not in repr(settings)


def test_configure_is_idempotent(server: OtlpServer, configure: Configure) -> None:
    """The same settings give the same connection; other settings are refused with the remedy."""
    first = configure()
    assert configure() == first
    with pytest.raises(auditlake.ConfigurationError, match="shutdown"):
        configure(tenant="other")


@pytest.mark.parametrize(
    ("options", "hint"),
    [({"endpoint": "localhost"}, "http://127.0.0.1:4318"), ({"spool_dir": "x"}, "belong together"), ({"queue_size": 0}, "at least 1"),
     ({"spool_dir": "x", "spool_key": "short"}, "32 random bytes"), ({"protocol": "smtp"}, "grpc"), ({"endpont": "x"}, "Settings")],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_remedy(configure: Configure, options: dict[str, str], hint: str) -> None:
    """A wrong setting is found when it is given."""
    with pytest.raises(auditlake.ConfigurationError, match=hint):
        configure(**options)
