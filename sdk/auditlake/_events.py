"""The events of a run and of an agent. Each queues one record and returns at once; before `configure()` they do nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from opentelemetry._logs import SeverityNumber

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._emit import emit
from auditlake._values import number

Decision = Literal["allow", "deny"]
ApprovalState = Literal["requested", "granted", "denied", "expired"]
StepState = Literal["idle", "thinking", "executing", "waiting", "completed", "failed"]
RetrievalIssue = Literal["missing_evidence", "stale_source", "forbidden_source", "citation_failure"]


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
        names.LATENCY_MS: number(latency_ms),
    }
    emit(names.EVENT_POLICY, values, message)


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
    emit(names.EVENT_APPROVAL, values, message)


def evaluation(
    name: str, *, score: float, threshold: float, case_id: str, evaluator_version: str, passed: bool | None = None,
    label: str | None = None, explanation: str | None = None,
) -> None:  # fmt: skip
    """Record the result of an evaluation; `passed` defaults to `score >= threshold`."""
    values = {
        names.EVALUATION_NAME: name,
        names.EVALUATION_SCORE: number(score),
        names.EVAL_THRESHOLD: number(threshold),
        names.EVAL_PASSED: score >= threshold if passed is None else passed,
        names.EVAL_CASE_ID: case_id,
        names.EVAL_EVALUATOR_VERSION: evaluator_version,
        names.EVALUATION_LABEL: label,
        names.EVALUATION_EXPLANATION: explanation,
    }
    emit(names.EVENT_EVALUATION, values)


def checkpoint(name: str, *, state: StepState | None = None, message: str | None = None) -> None:
    """Record an externally visible step: accepted_request, planned_action, tool_attempt, side_effect_result, final_response …"""
    emit(names.EVENT_CHECKPOINT, {names.CHECKPOINT_NAME: name, names.CHECKPOINT_STATE: state}, message)


def handoff(to: str, *, message: str | None = None) -> None:
    """Record that the agent hands the work over to the agent `to`."""
    emit(names.EVENT_HANDOFF, {names.HANDOFF_TO: to}, message)


def retrieval_issue(
    issue: RetrievalIssue, *, source_ids: Sequence[str] | None = None, data_source_id: str | None = None, reason_code: str | None = None,
    message: str | None = None,
) -> None:  # fmt: skip
    """Record that evidence was missing, stale, forbidden or cited wrongly, when and where it turned out: a check of the answer, often."""
    values = {
        names.RETRIEVAL_ISSUE: issue,
        names.RETRIEVAL_SOURCE_IDS: None if source_ids is None else list(source_ids),
        names.DATA_SOURCE_ID: data_source_id,
        names.REASON_CODE: reason_code,
    }
    emit(names.EVENT_RETRIEVAL_ISSUE, values, message, severity=SeverityNumber.WARN)


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
