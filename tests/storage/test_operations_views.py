"""The operations views: liveness, security, rollouts, assurance, resilience, evidence, agents' own metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.lake import Lake
from tests.lake_builder import START_NS, Row, event, metric, span, write_lake


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def rows(data: Path, sql: str, *, now: float = 3600) -> list[dict[str, Any]]:
    """The answer as seen `now` seconds after the start."""
    with Lake.open(data, clock=lambda: START_NS + int(now * 1e9)) as lake:
        found: list[dict[str, Any]] = lake.sql(sql).to_pylist()
    return found


def one(data: Path, sql: str, *, now: float = 3600) -> dict[str, Any]:
    (row,) = rows(data, sql, now=now)
    return row


# liveness


def beat(at: float, *, interval: float | None = 60, name: str = "heartbeat", attributes: Mapping[str, str] = {}, **columns: Any) -> Row:
    said = {} if interval is None else {"auditlake.heartbeat.interval_seconds": str(interval)}
    return event(name, run=None, at=at, step_kind="heartbeat", attributes={**said, **attributes}, **columns)


@pytest.mark.parametrize(
    ("interval", "silence", "state", "missed"),
    [
        (60, 90, "alive", 0), (60, 91, "late", 0), (60, 180, "late", 2), (60, 181, "down", 2),
        (None, 900, "alive", None), (None, 901, "late", None), (None, 1801, "down", None),
        (5, 30, "alive", 5), (5, 61, "down", 11),  # no interval counts as shorter than 20 s
    ],
)  # fmt: skip
def test_silence_is_judged_by_the_declared_interval(data: Path, interval: float | None, silence: float, state: str, missed: int) -> None:
    write_lake(data, events=[beat(0, interval=interval), beat(10, interval=interval)])
    row = one(data, "SELECT state, missed_beats, beats, silent_seconds FROM agent_liveness", now=10 + silence)
    assert (row["state"], row["missed_beats"], row["beats"], row["silent_seconds"]) == (state, missed, 2, silence)


def test_an_agent_that_works_without_a_beat_is_hung(data: Path) -> None:
    write_lake(data, spans=[span("a", at=600)], events=[beat(0)])
    assert one(data, "SELECT state FROM agent_liveness", now=700)["state"] == "hung"


def test_spans_of_another_agent_say_nothing(data: Path) -> None:
    spans = [span("a", at=600, agent_name="other"), span("b", at=600, tenant="globex"), span("c", at=600, scope_name="auditlake.collector")]
    write_lake(data, spans=spans, events=[beat(0)])
    assert one(data, "SELECT state FROM agent_liveness", now=700)["state"] == "down"


def test_an_agent_that_said_goodbye_is_stopped_until_its_next_beat(data: Path) -> None:
    write_lake(data, events=[beat(0), beat(5, name="agent.shutdown", interval=None)])
    assert one(data, "SELECT state, missed_beats FROM agent_liveness", now=9000) == {"state": "stopped", "missed_beats": None}
    write_lake(data, events=[beat(8990)])
    assert one(data, "SELECT state FROM agent_liveness", now=9000)["state"] == "alive"


def test_a_newer_configuration_is_an_upgrade(data: Path) -> None:
    old = {"auditlake.heartbeat.config_version": "12", "auditlake.heartbeat.newest_config_version": "13"}
    new = old | {"auditlake.heartbeat.config_version": "13"}
    write_lake(data, events=[beat(0, attributes=old), beat(1, attributes=new), beat(2)])
    assert [row["upgrade_available"] for row in rows(data, "SELECT upgrade_available FROM heartbeats ORDER BY time")] == [True, False, None]
    row = one(data, "SELECT config_version, newest_config_version, upgrade_available FROM agent_liveness")
    assert row == {"config_version": "13", "newest_config_version": "13", "upgrade_available": False}, "as the beat before said"


# security and rollouts


def test_a_security_event_says_what_became_of_it(data: Path) -> None:
    said = {
        "auditlake.security.category": "injection", "auditlake.security.threat_level": "high", "auditlake.security.threat_score": "0.93",
        "auditlake.security.disposition": "allowed_with_monitoring", "auditlake.security.detector": "guard/2",
    }  # fmt: skip
    write_lake(data, events=[event("security", attributes=said), event("security", run=None, at=1)])
    first, second = rows(data, "SELECT category, threat_level, threat_score, disposition, detector FROM security_events ORDER BY time")
    assert tuple(first.values()) == ("injection", "high", 0.93, "allowed_with_monitoring", "guard/2")
    assert set(second.values()) == {None}


def test_a_rollout_names_everything_that_changed(data: Path) -> None:
    named = ("commit", "model", "prompt_version", "tool_schema_version", "policy_version", "dataset_version", "owner", "rollback_owner")
    said = {f"auditlake.rollout.{name}": name for name in (*named, "stage", "change")}
    own = {"release": "1.0", "model": "gpt-5", "prompt_version": "3", "policy_version": "p"}
    write_lake(
        data, events=[event("rollout", attributes=said | {"auditlake.rollout.release": "2.0"}, **own), event("rollout", at=1, **own)]
    )
    first, second = rows(data, f"SELECT stage, change, release, {', '.join(named)} FROM rollouts ORDER BY time")
    assert first == {name: name for name in ("stage", "change", *named)} | {"release": "2.0"}
    assert {name: value for name, value in second.items() if value is not None} == own, "else those of the agent that tells of it"


# assurance


def test_the_four_thresholds_are_answered_by_views(data: Path) -> None:
    """Policy evaluation, trust handshake and credential rotation: latency and success; audit writes: see test_views.py."""
    policies = [event("policy.decision", at=n, step_kind="policy", decision="allow", latency_ms=float(n)) for n in range(100)]
    shakes = [event("trust.handshake", at=n, step_kind="other", outcome="success", latency_ms=80.0, resource="peer") for n in range(9)]
    rotations = [
        event("credential.rotation", at=0, step_kind="other", outcome=outcome, latency_ms=5.0, resource="db")
        for outcome in ("success", "failure")
    ]
    write_lake(data, events=[*policies, *shakes, *rotations])
    measured = "check_name, quantile_cont(latency_ms, 0.99) AS p99, avg(success::INT) AS success"
    found = rows(data, f"SELECT {measured} FROM assurance_checks GROUP BY 1 ORDER BY 1")
    assert [tuple(row.values()) for row in found] == [
        ("credential_rotation", 5.0, 0.5),
        ("policy_evaluation", pytest.approx(98.01), 1.0),
        ("trust_handshake", 80.0, 1.0),
    ]


def test_a_policy_that_denies_has_worked_and_one_that_decides_nothing_has_not(data: Path) -> None:
    guard = span("guardrail", step_kind="policy", decision="deny", took=0.02)
    failed = event("policy.decision", step_kind="policy", at=1, outcome="failure")
    unknown = event("policy.decision", step_kind="policy", at=2)
    write_lake(data, spans=[guard], events=[failed, unknown])
    found = rows(data, "SELECT success, latency_ms FROM assurance_checks ORDER BY time")
    assert [tuple(row.values()) for row in found] == [(True, 20.0), (False, None), (False, None)]


def test_audit_actions_are_rows(data: Path) -> None:
    write_lake(data, events=[event("agent_action", action="refund.issue", resource="order/81", outcome="success", latency_ms=12.5)])
    row = one(data, "SELECT action, resource, outcome, latency_ms FROM audit_actions")
    assert tuple(row.values()) == ("refund.issue", "order/81", "success", 12.5)


# resilience


def test_resilience_events_keep_their_own_names_as_steps(data: Path) -> None:
    opened = event("resilience.circuit", step_kind="other", resource="openai", attributes={"auditlake.resilience.state": "open"})
    late = {"auditlake.resilience.due_at": "2026-11-21T06:00:00Z"}
    missed = event("resilience.missed_schedule", at=1, step_kind="other", resource="nightly", attributes=late)
    incident = event("incident.opened", at=2, step_kind="other", attributes={"auditlake.incident.id": "inc-7"})
    write_lake(data, events=[opened, missed, incident])
    found = rows(data, "SELECT subject, state, resource, due_at, incident_id FROM resilience_events ORDER BY time")
    assert [(row["subject"], row["state"]) for row in found] == [("circuit", "open"), ("missed_schedule", None), ("incident", "opened")]
    assert (f"{found[1]['due_at']}", found[2]["incident_id"]) == ("2026-11-21 06:00:00", "inc-7")
    steps = rows(data, "SELECT kind, name FROM steps ORDER BY start_ns")
    assert [tuple(step.values()) for step in steps] == [
        ("other", "resilience.circuit"), ("other", "resilience.missed_schedule"), ("other", "incident.opened"),
    ]  # fmt: skip


def test_what_was_done_about_an_error_is_not_another_error(data: Path) -> None:
    """A failed call that was retried is one error of its run."""
    retried = event("resilience.retry", trace="trace-1", inside="t", step_kind="other", error_type="Timeout", resource="orders-db")
    write_lake(data, spans=[span("t", step_kind="tool", status_code=2, error_type="Timeout")], events=[retried])
    assert one(data, "SELECT errors FROM runs")["errors"] == 1
    assert one(data, "SELECT error_type FROM resilience_events")["error_type"] == "Timeout"


# evidence


def retrieval(name: str, at: float = 0, **said: str) -> Row:
    return span(name, step_kind="retrieval", at=at, attributes={f"auditlake.retrieval.{key}": value for key, value in said.items()})


def test_a_retrieval_says_what_is_wrong_with_its_evidence(data: Path) -> None:
    write_lake(
        data,
        spans=[
            retrieval("fine", 0, missing_evidence="false", stale_source_ids="[]", forbidden_source_ids="[]", citation_failures="0"),
            retrieval("silent", 1),
            retrieval("old", 2, freshness_seconds="90000", max_age_seconds="86400"),
            retrieval("bad", 3, missing_evidence="true", forbidden_source_ids='["a","b"]', citation_failures="2"),
        ],
    )
    found = rows(data, "SELECT missing_evidence, stale, forbidden, citation_failures FROM retrievals ORDER BY started_at")
    assert [tuple(row.values()) for row in found] == [
        (False, False, False, 0), (None, None, None, None), (None, True, None, None), (True, None, True, 2),
    ]  # fmt: skip
    issues = rows(data, "SELECT issue, number, source_ids FROM retrieval_issues ORDER BY time, issue")
    assert [tuple(row.values()) for row in issues] == [
        ("stale_source", 1, None), ("citation_failure", 2, None), ("forbidden_source", 2, '["a","b"]'), ("missing_evidence", 1, None),
    ]  # fmt: skip


def test_an_event_within_a_retrieval_is_the_retrievals_too(data: Path) -> None:
    """One outside of any (an answer that cites wrongly) is an issue of its own."""
    said = {"auditlake.retrieval.issue": "citation_failure", "auditlake.retrieval.source_ids": '["d1","d2"]'}
    inside = event("retrieval.issue", trace="trace-1", inside="r", step_kind="other", attributes=said)
    outside = event("retrieval.issue", trace="trace-1", inside="answer", at=1, step_kind="other", attributes=said)
    write_lake(data, spans=[retrieval("r", citation_failures="1")], events=[inside, outside])
    assert one(data, "SELECT citation_failures, missing_evidence FROM retrievals") == {"citation_failures": 3, "missing_evidence": None}
    assert one(data, "SELECT sum(number) AS n FROM retrieval_issues")["n"] == 5


# metrics of the vocabulary


def durations(at: float, counts: list[int], *, start: float = 0, **columns: Any) -> Row:
    return metric(
        "auditlake.operational.request_duration", at=at, type="histogram", unit="s", start_ns=START_NS + int(start * 1e9),
        count=sum(counts), sum=float(sum(counts)), bucket_bounds=[1.0, 5.0], bucket_counts=counts,
        **({"temporality": "cumulative", "attributes": {"auditlake.outcome": "success"}} | columns),
    )  # fmt: skip


def test_what_grows_is_told_by_what_it_adds(data: Path) -> None:
    """Cumulative points: differences; after a restart, and of each series apart, from nothing. Delta points: as they are."""
    other = {"attributes": {"auditlake.outcome": "failure"}}
    grown = [durations(10, [1, 0, 0]), durations(20, [3, 1, 0]), durations(40, [1, 1, 1], start=30), durations(20, [2, 0, 0], **other)]
    delta = durations(50, [4, 0, 0], temporality="delta", **other)
    write_lake(data, metrics=[*grown, delta])
    found = rows(data, "SELECT outcome, new_count, new_sum, new_bucket_counts FROM agent_metrics ORDER BY time, outcome")
    assert [tuple(row.values()) for row in found] == [
        ("success", 1, 1.0, [1, 0, 0]), ("failure", 2, 2.0, [2, 0, 0]), ("success", 3, 3.0, [2, 1, 0]), ("success", 3, 3.0, [1, 1, 1]),
        ("failure", 4, 4.0, [4, 0, 0]),
    ]  # fmt: skip
    assert {row["subject"] for row in rows(data, "SELECT subject FROM agent_metrics")} == {"operational"}


def test_counters_add_up(data: Path) -> None:
    points = [
        metric(
            "auditlake.safety.violations",
            at=at,
            type="sum",
            temporality="cumulative",
            value=float(value),
            value_int=value,
            start_ns=START_NS,
        )
        for at, value in [(10, 2), (20, 2), (30, 5)]
    ]
    write_lake(data, metrics=[*points, metric("auditlake.queue.depth", value=1.0)])
    assert [row["new_sum"] for row in rows(data, "SELECT new_sum FROM agent_metrics ORDER BY time")] == [2, 0, 3]


# names of events


@pytest.mark.parametrize("sent", [None, "event src/agent.rs:12"])
def test_events_that_an_attribute_names_are_in_the_views(data: Path, sent: str | None) -> None:
    """Older SDKs have no other place for a name, and tracing for Rust puts a place in the source there."""

    def named(name: str, at: float = 0, **attributes: str) -> Row:
        told = {"event.name": name} | {f"auditlake.{key.replace('__', '.')}": value for key, value in attributes.items()}
        return event(sent, run=None, at=at, dialect="auditlake", operation=name, step_kind="other", attributes=told)

    events = [
        named("heartbeat", heartbeat__interval_seconds="60"), named("security", security__category="injection"),
        named("rollout", rollout__stage="canary"), named("agent_action"), named("resilience.retry"), named("credential.rotation"),
        named("retrieval.issue", retrieval__issue="stale_source"), named("task", task__id="t", task__state="done"),
    ]  # fmt: skip
    write_lake(data, events=[*events, event("heartbeat", run=None, dialect="auditlake", operation="heartbeat", at=1)])
    views = {
        "heartbeats": 2, "security_events": 1, "rollouts": 1, "audit_actions": 1, "resilience_events": 1, "assurance_checks": 1,
        "retrieval_issues": 1, "tasks": 1,
    }  # fmt: skip
    assert {view: one(data, f"SELECT count(*) AS rows FROM {view}")["rows"] for view in views} == views
    assert [row["subject"] for row in rows(data, "SELECT subject FROM resilience_events")] == ["retry"]
