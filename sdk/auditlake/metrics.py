"""The metrics of the vocabulary: how well the agent thinks, works, serves and behaves.

Each function records one value, with the labels and buckets of the registry, and returns at once; it is sent with the next
collection. The agent is a label by itself. Before `configure()`, and for a value that is no finite number, they do nothing. Give
labels a few values, not one for each request: a label has at most a hundred, further ones become `(other)`.
"""

from collections.abc import Mapping
from typing import Literal

from auditlake import _state
from auditlake import vocabulary as names
from auditlake._values import number

Outcome = Literal["success", "failure", "denied"]
Handling = Literal["escalated", "asked", "abstained", "answered"]


def reasoning_accuracy(share: float, *, task_type: str | None = None, model: str | None = None) -> None:
    """Record the share (0 to 1) of the conclusions of a run that a check confirmed."""
    _record(names.METRIC_REASONING_ACCURACY, share, {names.TASK_TYPE: task_type, names.REQUEST_MODEL: model})


def confidence_calibration(confidence: float, *, correct: bool, task_type: str | None = None, model: str | None = None) -> None:
    """Record how far a stated confidence (0 to 1) was from the truth: 0 is perfect."""
    stated = number(confidence)
    error = None if stated is None else abs(stated - (1.0 if correct else 0.0))
    _record(names.METRIC_CONFIDENCE_CALIBRATION, error, {names.TASK_TYPE: task_type, names.REQUEST_MODEL: model})


def request_duration(seconds: float, *, task_type: str | None = None, outcome: Outcome | None = None) -> None:
    """Record the time from a request to its final answer."""
    _record(names.METRIC_REQUEST_DURATION, seconds, {names.TASK_TYPE: task_type, names.OUTCOME: outcome})


def tool_success_rate(share: float, *, tool_name: str) -> None:
    """Record the share (0 to 1) of the calls of a tool that succeeded in one run."""
    _record(names.METRIC_TOOL_SUCCESS_RATE, share, {names.TOOL_NAME: tool_name})


def memory_retrieval_efficiency(share: float, *, store: str | None = None) -> None:
    """Record the share (0 to 1) of what was read from memory that was used."""
    _record(names.METRIC_MEMORY_EFFICIENCY, share, {names.MEMORY_STORE: store})


def task_completion(*, outcome: Outcome, task_type: str | None = None, tasks: int = 1) -> None:
    """Count tasks that came to an end."""
    _record(names.METRIC_TASK_COMPLETION, tasks, {names.TASK_TYPE: task_type, names.OUTCOME: outcome})


def satisfaction(score: float, *, task_type: str | None = None) -> None:
    """Record a user's satisfaction, 0 to 1."""
    _record(names.METRIC_SATISFACTION, score, {names.TASK_TYPE: task_type})


def cost_per_interaction(usd: float, *, task_type: str | None = None) -> None:
    """Record what one interaction cost, in US dollars."""
    _record(names.METRIC_COST_PER_INTERACTION, usd, {names.TASK_TYPE: task_type})


def violation(kind: str, *, number_of: int = 1) -> None:
    """Count violations of a safety rule, by what was violated (policy, scope, privacy …)."""
    _record(names.METRIC_VIOLATIONS, number_of, {names.VIOLATION_KIND: kind})


def bias_alert(kind: str, *, number_of: int = 1) -> None:
    """Count answers that a bias check objected to, by what it noticed."""
    _record(names.METRIC_BIAS_ALERTS, number_of, {names.VIOLATION_KIND: kind})


def uncertainty_handling(handling: Handling, *, task_type: str | None = None) -> None:
    """Count what the agent did where it was not sure."""
    _record(names.METRIC_UNCERTAINTY_HANDLING, 1, {names.TASK_TYPE: task_type, names.UNCERTAINTY_HANDLING: handling})


def _record(metric: str, value: float | None, labels: Mapping[str, object]) -> None:
    client, found = _state.current(), number(value)
    if client is not None and found is not None:
        client.measure(metric, found, labels)
