"""What an agent says about its operation, its evidence and how well it does: bounded, and never at its expense."""

import math
from collections.abc import Callable

import auditlake
import pytest
from auditlake import metrics
from auditlake import vocabulary as names
from auditlake._instruments import LABEL_VALUES, OTHER

from tests.sdk.otlp_server import OtlpServer

Configure = Callable[..., auditlake.Handle]


def test_a_run_says_how_long_it_planned_and_what_came_of_it(server: OtlpServer, configure: Configure) -> None:
    """Columns planning_ms, execution_ms, quality_score, satisfaction."""
    handle = configure(agent_name="support")
    with auditlake.run() as run:
        run.durations(planning_ms=420, execution_ms=8120.5).quality(0.9).satisfaction(1)
    handle.flush()
    said = server.span("invoke_agent support").attributes
    assert (said[names.PLANNING_MS], said[names.EXECUTION_MS], said[names.QUALITY_SCORE], said[names.SATISFACTION]) == (
        420.0,
        8120.5,
        0.9,
        1.0,
    )


def test_a_retrieval_says_what_is_wrong_with_its_evidence(server: OtlpServer, configure: Configure) -> None:
    """What was checked and is fine is said too; what was not checked is absent."""
    handle = configure()
    with auditlake.run(), auditlake.retrieval("handbook") as found:
        found.sources(["doc-1"], freshness_seconds=90_000, max_age_seconds=86_400).evidence(
            missing=False, stale=["doc-1"], citation_failures=0
        )
        auditlake.retrieval_issue("forbidden_source", source_ids=["payroll-2"])
    handle.flush()
    span = server.span("retrieval handbook")
    said = span.attributes
    assert (said[names.RETRIEVAL_MISSING], list(said[names.RETRIEVAL_STALE_IDS]), said[names.RETRIEVAL_CITATION_FAILURES]) == (
        False,
        ["doc-1"],
        0,
    )
    assert (said[names.RETRIEVAL_MAX_AGE], names.RETRIEVAL_FORBIDDEN_IDS in said) == (86_400.0, False)
    (issue,) = server.events("retrieval.issue")
    assert issue.message.span_id == span.message.span_id


def test_the_metrics_have_the_buckets_and_labels_of_the_registry(server: OtlpServer, configure: Configure) -> None:
    """Each function records its own metric; the agent is a label by itself."""
    handle = configure(agent_name="support")
    metrics.reasoning_accuracy(0.8, task_type="refund", model="gpt-4o")
    metrics.confidence_calibration(0.9, correct=False)
    metrics.request_duration(3.2, task_type="refund", outcome="success")
    metrics.tool_success_rate(1.0, tool_name="lookup")
    metrics.memory_retrieval_efficiency(0.5, store="customers")
    metrics.task_completion(outcome="success", tasks=3)
    metrics.satisfaction(1.0)
    metrics.cost_per_interaction(0.02)
    metrics.violation("policy")
    metrics.bias_alert("demographic", number_of=2)
    metrics.uncertainty_handling("escalated")
    handle.flush()
    points = {point.name: point for point in server.points}
    assert set(points) >= set(names.UNITS) - {names.METRIC_QUEUE_DEPTH, names.METRIC_DROPPED}
    for name, bounds in names.BUCKETS.items():
        assert tuple(points[name].message.explicit_bounds) == bounds
    assert points[names.METRIC_CONFIDENCE_CALIBRATION].message.sum == 0.9
    assert points[names.METRIC_TASK_COMPLETION].message.as_double == 3
    assert points[names.METRIC_REQUEST_DURATION].attributes == {
        names.AGENT_NAME: "support", names.TASK_TYPE: "refund", names.OUTCOME: "success",
    }  # fmt: skip


def test_a_label_with_too_many_values_overflows_visibly(server: OtlpServer, configure: Configure, caplog: pytest.LogCaptureFixture) -> None:
    """Bounded in this process and in every store behind it; the sum stays right, and the log says so once."""
    handle = configure()
    for number in range(LABEL_VALUES + 50):
        metrics.violation(f"kind-{number}")
        metrics.violation("kind-0")
    handle.flush()
    counted = {
        point.attributes[names.VIOLATION_KIND]: point.message.as_double for point in server.points if point.name == names.METRIC_VIOLATIONS
    }
    assert len(counted) == LABEL_VALUES + 1
    assert (counted[OTHER], counted["kind-0"], sum(counted.values())) == (50, LABEL_VALUES + 51, 2 * (LABEL_VALUES + 50))
    assert len([record for record in caplog.records if names.VIOLATION_KIND in record.getMessage()]) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, "many", None])
def test_what_is_no_number_is_not_recorded(server: OtlpServer, configure: Configure, value: object) -> None:
    """Unknown is absent, and nothing is thrown into the agent."""
    handle = configure()
    metrics.request_duration(value)  # type: ignore[arg-type]
    metrics.task_completion(outcome="success", tasks=-1)
    auditlake.trust_handshake("billing", outcome="success", latency_ms=value)  # type: ignore[arg-type]
    auditlake.heartbeat(interval_seconds=value, cpu_percent=value)  # type: ignore[arg-type]
    handle.flush()
    assert [point.name for point in server.points] == []
    assert names.LATENCY_MS not in server.events("trust.handshake")[0].attributes
    assert names.HEARTBEAT_INTERVAL not in server.events("heartbeat")[0].attributes


class Unwritable:
    """Nothing can be made of it."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_that_cannot_be_written_is_counted_and_costs_the_agent_nothing(server: OtlpServer, configure: Configure) -> None:
    """The gap is known: in `dropped()`, and in the lake as telemetry.dropped."""
    handle = configure()
    auditlake.security_event("threat", resource=Unwritable())  # type: ignore[arg-type]
    assert auditlake.dropped() == 1
    handle.flush()
    (report,) = server.events("telemetry.dropped")
    assert (report.attributes[names.DROPPED_REASON], server.events("security")) == ("unencodable", [])


def test_before_configure_nothing_happens() -> None:
    """An agent without a collector works as before."""
    auditlake.handoff("billing")
    auditlake.incident("inc-7", "opened")
    auditlake.resilience_event("retry", "openai", attempt=1)
    metrics.violation("policy")
    with auditlake.retrieval("handbook") as found:
        found.evidence(missing=True)
