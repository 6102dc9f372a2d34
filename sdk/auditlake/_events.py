"""The events of a run and of an agent. Each queues one record and returns at once; before `configure()` they do nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from opentelemetry._logs import SeverityNumber

from auditlake import _state
from auditlake import vocabulary as names

Decision = Literal["allow", "deny"]
ApprovalState = Literal["requested", "granted", "denied", "expired"]
StepState = Literal["idle", "thinking", "executing", "waiting", "completed", "failed"]
TaskState = Literal["created", "assigned", "in_progress", "blocked", "submitted", "reviewed", "done"]
SecurityCategory = Literal["injection", "content_filtered", "validation", "authentication", "authorization", "threat"]
ThreatLevel = Literal["low", "medium", "high", "critical"]


def policy_decision(
    *, action: str, decision: Decision, version: str, reason_code: str, effect: str, latency_ms: float | None = None,
    message: str | None = None,
) -> None:  # fmt: skip
    """Record that a policy judged `action`: its version, the decision, the machine-readable reason, what enforcement did."""
    values = {
        names.POLICY_ACTION: action,
        names.POLICY_DECISION: decision,
        names.POLICY_VERSION: version,
        names.POLICY_REASON: reason_code,
        names.POLICY_EFFECT: effect,
        names.LATENCY_MS: latency_ms,
    }
    _emit(names.EVENT_POLICY, values, message)


def approval(
    *, action: str, state: ApprovalState, approver_role: str, expires_at: datetime | str, approver: str | None = None,
    tool_name: str | None = None, tool_call_id: str | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record that an approval of exactly `action` was requested, granted or denied, or expired.

    `expires_at` is when it becomes void. Give `tool_name` where the action is a call of a tool.
    """
    values = {
        names.APPROVAL_ACTION: action,
        names.APPROVAL_STATE: state,
        names.APPROVAL_ROLE: approver_role,
        names.APPROVAL_EXPIRES: expires_at,
        names.APPROVAL_APPROVER: approver,
        names.TOOL_NAME: tool_name,
        names.TOOL_CALL_ID: tool_call_id,
    }
    _emit(names.EVENT_APPROVAL, values, message)


def evaluation(
    name: str, *, score: float, threshold: float, case_id: str, evaluator_version: str, passed: bool | None = None,
    label: str | None = None, explanation: str | None = None,
) -> None:  # fmt: skip
    """Record the result of an evaluation; `passed` defaults to `score >= threshold`."""
    values = {
        names.EVALUATION_NAME: name,
        names.EVALUATION_SCORE: float(score),
        names.EVAL_THRESHOLD: float(threshold),
        names.EVAL_PASSED: score >= threshold if passed is None else passed,
        names.EVAL_CASE_ID: case_id,
        names.EVAL_EVALUATOR_VERSION: evaluator_version,
        names.EVALUATION_LABEL: label,
        names.EVALUATION_EXPLANATION: explanation,
    }
    _emit(names.EVENT_EVALUATION, values)


def checkpoint(name: str, *, state: StepState | None = None, message: str | None = None) -> None:
    """Record an externally visible step: accepted_request, planned_action, tool_attempt, side_effect_result, final_response …"""
    _emit(names.EVENT_CHECKPOINT, {names.CHECKPOINT_NAME: name, names.CHECKPOINT_STATE: state}, message)


def heartbeat(
    status: str = "idle", *, interval_seconds: float | None = None, message: str | None = None, config_version: str | None = None,
    newest_config_version: str | None = None, cpu_percent: float | None = None, memory_bytes: int | None = None,
) -> None:  # fmt: skip
    """Record that the agent is alive. `interval_seconds` is the promise: three missed beats without `shutdown()` mean it is down."""
    values = {
        names.HEARTBEAT_STATUS: status,
        names.HEARTBEAT_INTERVAL: None if interval_seconds is None else float(interval_seconds),
        names.HEARTBEAT_MESSAGE: message,
        names.HEARTBEAT_CONFIG: config_version,
        names.HEARTBEAT_NEWEST_CONFIG: newest_config_version,
        names.HEARTBEAT_CPU: None if cpu_percent is None else float(cpu_percent),
        names.HEARTBEAT_MEMORY: memory_bytes,
    }
    _emit(names.EVENT_HEARTBEAT, values)


def task(
    task_id: str, state: TaskState, *, task_type: str | None = None, deliverable: str | None = None,
    review: Literal["approved", "rejected"] | None = None, message: str | None = None,
) -> None:  # fmt: skip
    """Record that a task changed its state."""
    values = {
        names.TASK_ID: task_id,
        names.TASK_STATE: state,
        names.TASK_TYPE: task_type,
        names.TASK_DELIVERABLE: deliverable,
        names.TASK_REVIEW: review,
    }
    _emit(names.EVENT_TASK, values, message)


def queue_depth(queue_name: str, depth: int, *, assigned: bool = False) -> None:
    """Set how many tasks wait in a queue (a gauge, sent with the next collection of metrics)."""
    client = _state.current()
    if client is not None:
        client.set_queue_depth(depth, {names.QUEUE_NAME: queue_name, names.QUEUE_ASSIGNED: assigned})


def security_event(
    category: SecurityCategory, *, threat_level: ThreatLevel | None = None, outcome: str | None = None, resource: str | None = None,
    message: str | None = None,
) -> None:  # fmt: skip
    """Record an injection, filtered content, or a failed validation, authentication or authorization."""
    values = {
        names.SECURITY_CATEGORY: category,
        names.SECURITY_THREAT_LEVEL: threat_level,
        names.OUTCOME: outcome,
        names.RESOURCE: resource,
    }
    _emit(names.EVENT_SECURITY, values, message, severity=SeverityNumber.WARN)


def rollout(
    stage: str, *, resource: str | None = None, owner: str | None = None, release: str | None = None, message: str | None = None
) -> None:
    """Record that `resource` (a release, version, flag or setting) changed; `stage` is shadow, canary, full or rollback."""
    values = {names.ROLLOUT_STAGE: stage, names.RESOURCE: resource, names.ROLLOUT_OWNER: owner, names.SERVICE_VERSION: release}
    _emit(names.EVENT_ROLLOUT, values, message)


def dropped() -> int:
    """Return how many records of this process could not be delivered since `configure()`, for whatever reason."""
    client = _state.latest()
    return sum(client.drops.totals().values()) if client is not None else 0


def flush(timeout_seconds: float | None = None) -> bool:
    """Send what waits; return whether all of it was settled (delivered, or counted as dropped) in time."""
    client = _state.current()
    return client is None or client.flush(client.settings.timeout_seconds if timeout_seconds is None else timeout_seconds)


def shutdown(message: str | None = None, *, timeout_seconds: float | None = None) -> bool:
    """Say that the agent ends on purpose, send what waits, and stop; return whether all of it was settled in time.

    Without it, an agent that declared heartbeats and stops sending them is reported as down.
    """
    client = _state.current()
    if client is None:
        return True
    client.emit(names.EVENT_SHUTDOWN, {}, message=message)
    _state.replace(None)
    return client.close(client.settings.timeout_seconds if timeout_seconds is None else timeout_seconds)


def _emit(event: str, values: Mapping[str, object], message: str | None = None, *, severity: SeverityNumber = SeverityNumber.INFO) -> None:
    client = _state.current()
    if client is not None:
        client.emit(event, values, message=message, severity=severity)
