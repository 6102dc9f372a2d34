"""Every event type of the vocabulary, posted as plain JSON with its short names, lands in its view."""

import json
from pathlib import Path
from typing import Any

import pytest

from collector.receivers.events import EventsEncoding, read_events
from docs.events_page import group_of_event, names_module, registry, short_names
from tests.sealed_lake import open_lake, seal

VOCABULARY = registry()
EVENTS: dict[str, Any] = VOCABULARY["events"]
ATTRIBUTES: dict[str, Any] = VOCABULARY["attributes"]
EXAMPLES = {"gen_ai.evaluation.score.value": 0.9, "gen_ai.evaluation.name": "tone"}
MORE = {
    "queue.depth": ["auditlake.queue.assigned"],
    "gen_ai.evaluation.result": ["gen_ai.evaluation.name"],
    "agent_action": ["auditlake.latency_ms"],
}
"""What an event may have beside the names of its group."""
ENVELOPE = {"event", "time", "severity", "body", "id", "trace_id", "span_id", "attributes"}
RUN = "7d9f0c6e5b1a4f2e"
Rows = dict[str, list[dict[str, Any]]]

# event → its view, the column that says whose event it is, and what else the view must say of it
VIEWS: dict[str, tuple[str, dict[str, Any]]] = {
    "run.started": ("steps", {"kind": "run", "run_id": RUN}),
    "policy.decision": ("policy_decisions", {"decision": "deny", "reason_code": "over_limit", "policy_version": "2026-11", "run_id": RUN}),
    "approval": ("approvals", {"approval_state": "granted", "approver": "lead-4", "action": "issue_refund"}),
    "gen_ai.evaluation.result": ("evals", {"eval_name": "tone", "eval_score": 0.9, "eval_threshold": 0.7, "eval_passed": True}),
    "checkpoint": ("steps", {"kind": "checkpoint"}),
    "heartbeat": ("heartbeats", {"status": "idle", "interval_seconds": 60.0, "config_version": "12", "upgrade_available": True}),
    "agent.shutdown": ("heartbeats", {"shutdown": True}),
    "task": ("tasks", {"task_id": "t-1", "state": "in_progress", "task_type": "refund"}),
    "handoff": ("steps", {"kind": "other", "handoff_to": "billing"}),
    "agent_action": ("audit_actions", {"action": "refund.issue", "resource": "order/81", "outcome": "success", "latency_ms": 12.5}),
    "trust.handshake": ("assurance_checks", {"check_name": "trust_handshake", "success": True, "latency_ms": 12.5}),
    "credential.rotation": ("assurance_checks", {"check_name": "credential_rotation", "success": True}),
    "security": ("security_events", {"category": "injection", "threat_score": 0.93, "attempts": 12}),
    "rollout": ("rollouts", {"stage": "canary", "change": "release", "owner": "team-support"}),
    "retrieval.issue": ("retrieval_issues", {"issue": "citation_failure"}),
    "resilience.circuit": ("resilience_events", {"subject": "circuit", "state": "open", "resource": "order/81"}),
    "resilience.fallback": ("resilience_events", {"subject": "fallback", "fallback": "gpt-4o-mini"}),
    "resilience.cache_hit": ("resilience_events", {"subject": "cache_hit"}),
    "resilience.rate_limit": ("resilience_events", {"subject": "rate_limit", "delay_seconds": 1.5}),
    "resilience.retry": ("resilience_events", {"subject": "retry", "attempt": 2}),
    "resilience.compensation": ("resilience_events", {"subject": "compensation"}),
    "resilience.escalation": ("resilience_events", {"subject": "escalation"}),
    "resilience.dead_letter": ("resilience_events", {"subject": "dead_letter"}),
    "resilience.missed_schedule": ("resilience_events", {"subject": "missed_schedule"}),
    "incident.opened": ("resilience_events", {"subject": "incident", "state": "opened"}),
    "incident.closed": ("resilience_events", {"subject": "incident", "state": "closed"}),
    "queue.depth": ("queues", {"queue_name": "refunds", "depth": 7.0, "assigned": False}),
    "telemetry.dropped": ("events", {"event_name": "telemetry.dropped"}),
    "alert.transition": ("steps", {"kind": "other"}),
}


def plain(event: str) -> dict[str, Any]:
    """The event with every name that it can have, short ones where there are."""
    names = {key: short for short, (key, _) in short_names(VOCABULARY).items()}
    group = group_of_event(VOCABULARY).get(event)
    prefix = f"auditlake.{group}." if group else None
    wanted = [*EVENTS[event]["required"], *(key for key in ATTRIBUTES if prefix and key.startswith(prefix))]
    wanted += MORE.get(event, [])
    body: dict[str, Any] = {"event": event, "time": "2026-11-21T11:59:00Z", "agent": f"agent of {event}", "run_id": RUN}
    body |= {"tenant": "acme", "environment": "prod", "service": "desk"}
    for key in dict.fromkeys(wanted):
        bare = names[key].removeprefix(f"{group}_")
        body[names[key] if bare in ENVELOPE else bare] = ATTRIBUTES[key]["example"] if key in ATTRIBUTES else EXAMPLES[key]
    return body


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of each view, of a lake of all events, posted one a line."""
    body = "\n".join(json.dumps(plain(event)) for event in EVENTS).encode()
    events = read_events(body, EventsEncoding.LINES)
    assert (events.rejected, events.problems) == (0, "")
    data: Path = seal(tmp_path_factory.mktemp("events") / "data", [("logs", events.message)])
    with open_lake(data) as lake:
        return {name: lake.sql(f"SELECT * FROM {name}").to_pylist() for name in {view for view, _ in VIEWS.values()}}


def test_every_event_of_the_vocabulary_has_its_view_here() -> None:
    assert VIEWS.keys() == EVENTS.keys()


@pytest.mark.parametrize("event", EVENTS)
def test_a_plain_event_lands_in_its_view(views: Rows, event: str) -> None:
    """With whose it is, and with its own columns."""
    name, expected = VIEWS[event]
    (row,) = [row for row in views[name] if row["agent_name"] == f"agent of {event}"]
    assert {"tenant": "acme", "environment": "prod"}.items() <= row.items()
    assert {column: row[column] for column in expected} == expected


def test_the_names_are_those_of_the_registry() -> None:
    """`python -m docs.events_page` writes the table, which nobody edits."""
    assert (Path(__file__).parents[2] / "collector/receivers/event_names.py").read_text(encoding="utf-8") == names_module()
