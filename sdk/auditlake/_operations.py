"""What an agent says about its own operation: tasks, queues, heartbeats, security, changes, trust, resilience. Queued, never blocking."""

from datetime import datetime
from typing import Literal

from opentelemetry._logs import SeverityNumber

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._emit import emit
from auditlake._values import number

TaskState = Literal["created", "assigned", "in_progress", "blocked", "submitted", "reviewed", "done"]
SecurityCategory = Literal["injection", "content_filtered", "validation", "authentication", "authorization", "threat"]
ThreatLevel = Literal["low", "medium", "high", "critical"]
Disposition = Literal["blocked", "filtered", "allowed", "allowed_with_monitoring"]
Outcome = Literal["success", "failure", "denied"]
Stage = Literal["shadow", "canary", "full", "rollback", "on", "off"]
Change = Literal["release", "model", "prompt", "tool_schema", "policy", "dataset", "flag", "kill_switch", "config"]
ResilienceSubject = Literal[
    "circuit", "fallback", "cache_hit", "rate_limit", "retry", "compensation", "escalation", "dead_letter", "missed_schedule"
]
CircuitState = Literal["closed", "open", "half_open"]
Severity = Literal["critical", "warning", "info"]

_RESILIENCE = {
    "circuit": names.EVENT_CIRCUIT,
    "fallback": names.EVENT_FALLBACK,
    "cache_hit": names.EVENT_CACHE_HIT,
    "rate_limit": names.EVENT_RATE_LIMIT,
    "retry": names.EVENT_RETRY,
    "compensation": names.EVENT_COMPENSATION,
    "escalation": names.EVENT_ESCALATION,
    "dead_letter": names.EVENT_DEAD_LETTER,
    "missed_schedule": names.EVENT_MISSED_SCHEDULE,
}


def heartbeat(
    status: str = "idle", *, interval_seconds: float | None = None, message: str | None = None, config_version: str | None = None,
    newest_config_version: str | None = None, cpu_percent: float | None = None, memory_bytes: int | None = None,
) -> None:  # fmt: skip
    """Record that the agent is alive. `interval_seconds` is the promise: three missed beats without `shutdown()` mean it is down."""
    values = {
        names.HEARTBEAT_STATUS: status,
        names.HEARTBEAT_INTERVAL: number(interval_seconds),
        names.HEARTBEAT_MESSAGE: message,
        names.HEARTBEAT_CONFIG: config_version,
        names.HEARTBEAT_NEWEST_CONFIG: newest_config_version,
        names.HEARTBEAT_CPU: number(cpu_percent),
        names.HEARTBEAT_MEMORY: memory_bytes,
    }
    emit(names.EVENT_HEARTBEAT, values)


def task(
    task_id: str, state: TaskState, *, task_type: str | None = None, deliverable: str | None = None,
    review: Literal["approved", "rejected"] | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record that a task changed its state. `task_id` is unique within the tenant and environment: a new task has a new one."""
    values = {
        names.TASK_ID: task_id,
        names.TASK_STATE: state,
        names.TASK_TYPE: task_type,
        names.TASK_DELIVERABLE: deliverable,
        names.TASK_REVIEW: review,
    }
    emit(names.EVENT_TASK, values, message)


def queue_depth(queue_name: str, depth: int, *, assigned: bool = False) -> None:
    """Set how many tasks wait in a queue (a gauge, sent with the next collection of metrics)."""
    client = _state.current()
    if client is not None:
        client.set_queue_depth(depth, {names.QUEUE_NAME: queue_name, names.QUEUE_ASSIGNED: assigned})


def security_event(
    category: SecurityCategory, *, threat_level: ThreatLevel | None = None, threat_score: float | None = None,
    disposition: Disposition | None = None, detector: str | None = None, outcome: str | None = None, resource: str | None = None,
    tool_name: str | None = None, reason_code: str | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record an injection, filtered content, a failed validation, authentication or authorization, or a threat.

    `threat_score` (0 to 1) is how sure the `detector` is, `disposition` what became of it. Give no content of prompts.
    """
    values = {
        names.SECURITY_CATEGORY: category,
        names.SECURITY_THREAT_LEVEL: threat_level,
        names.SECURITY_THREAT_SCORE: number(threat_score),
        names.SECURITY_DISPOSITION: disposition,
        names.SECURITY_DETECTOR: detector,
        names.OUTCOME: outcome,
        names.RESOURCE: resource,
        names.TOOL_NAME: tool_name,
        names.REASON_CODE: reason_code,
    }
    emit(names.EVENT_SECURITY, values, message, severity=SeverityNumber.WARN)


def rollout(
    stage: Stage, *, change: Change | None = None, resource: str | None = None, release: str | None = None, commit: str | None = None,
    model: str | None = None, prompt_version: str | None = None, tool_schema_version: str | None = None, policy_version: str | None = None,
    dataset_version: str | None = None, owner: str | None = None, rollback_owner: str | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record that something changed: a release, model, prompt, …, a flag, a kill switch (`stage` on or off), or a configuration.

    `resource` names the very thing; the versions are those in force with the change, as the release gate compares them.
    """
    values = {
        names.ROLLOUT_STAGE: stage,
        names.ROLLOUT_CHANGE: change,
        names.RESOURCE: resource,
        names.ROLLOUT_RELEASE: release,
        names.ROLLOUT_COMMIT: commit,
        names.ROLLOUT_MODEL: model,
        names.ROLLOUT_PROMPT_VERSION: prompt_version,
        names.ROLLOUT_TOOL_SCHEMA_VERSION: tool_schema_version,
        names.ROLLOUT_POLICY_VERSION: policy_version,
        names.ROLLOUT_DATASET_VERSION: dataset_version,
        names.ROLLOUT_OWNER: owner,
        names.ROLLOUT_ROLLBACK_OWNER: rollback_owner,
    }
    emit(names.EVENT_ROLLOUT, values, message)


def trust_handshake(
    peer: str, *, outcome: Outcome, latency_ms: float, reason_code: str | None = None, message: str | None = None
) -> None:  # fmt: skip
    """Record that the agent proved to `peer` who it is, or failed to, and how long that took."""
    _assurance(names.EVENT_TRUST, peer, outcome, latency_ms, reason_code, message)


def credential_rotation(
    credential: str, *, outcome: Outcome, latency_ms: float, reason_code: str | None = None, message: str | None = None
) -> None:  # fmt: skip
    """Record that a credential was renewed, or could not be. `credential` is its name, never its value."""
    _assurance(names.EVENT_CREDENTIAL, credential, outcome, latency_ms, reason_code, message)


def resilience_event(
    subject: ResilienceSubject, resource: str, *, state: CircuitState | None = None, attempt: int | None = None,
    fallback: str | None = None, delay_seconds: float | None = None, due_at: datetime | str | None = None, provider: str | None = None,
    reason_code: str | None = None, error_type: str | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record what kept the agent going, or did not: a change of a circuit breaker (`state`), a fallback, a retry (`attempt`), …

    `resource` is what it is about: a provider, tool, job or queue. `fallback` is what stood in, `due_at` when a missed job was due.
    """
    values = {
        names.RESOURCE: resource,
        names.RESILIENCE_STATE: state,
        names.RESILIENCE_ATTEMPT: attempt,
        names.RESILIENCE_FALLBACK: fallback,
        names.RESILIENCE_DELAY: number(delay_seconds),
        names.RESILIENCE_DUE_AT: due_at,
        names.PROVIDER_NAME: provider,
        names.REASON_CODE: reason_code,
        names.ERROR_TYPE: error_type,
    }
    severity = SeverityNumber.INFO if subject == "cache_hit" or state == "closed" else SeverityNumber.WARN
    emit(_RESILIENCE.get(subject, f"resilience.{subject}"), values, message, severity=severity)


def incident(
    incident_id: str, state: Literal["opened", "closed"], *, severity: Severity | None = None, resource: str | None = None,
    message: str | None = None,
) -> None:  # fmt: skip
    """Record that an incident was opened or closed."""
    values = {names.INCIDENT_ID: incident_id, names.INCIDENT_SEVERITY: severity, names.RESOURCE: resource}
    emit(names.EVENT_INCIDENT_CLOSED if state == "closed" else names.EVENT_INCIDENT_OPENED, values, message, severity=SeverityNumber.WARN)


def _assurance(event: str, resource: str, outcome: Outcome, latency_ms: float, reason_code: str | None, message: str | None) -> None:
    values = {
        names.RESOURCE: resource,
        names.OUTCOME: outcome,
        names.LATENCY_MS: number(latency_ms),
        names.REASON_CODE: reason_code,
    }
    emit(event, values, message, severity=SeverityNumber.INFO if outcome == "success" else SeverityNumber.WARN)
