"""The row of the view `runs` for one run whose steps are at hand: planning that view costs more than all else about a run.

What a column means is written in `sql/views/runs.sql`; this says the same of the same steps, column by column and in its order, and
tests/storage/runs/test_run_row.py holds the two together. Where several steps could decide (the last of those that ended in the same
nanosecond) the view takes any, this the first of the story.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

Step = Mapping[str, Any]

ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments", "tool_arguments", "ai.toolCall.args", "traceloop.entity.input", "input.value", "mlflow.spanInputs",
    "tool_input", "tool_parameters", "arguments", "gen_ai.prompt",
)  # fmt: skip
"""Where dialects leave a call's arguments: those of the view `tool_calls`."""
_OPEN: Final = ("running", "abandoned")
_TOLERANCE_NS: Final = 1_000_000
_REASONS: Final = (
    ("timeout", r"time.?out|timed.?out|deadline"),
    ("max_steps", r"max.?(turns|steps|iter)|recursion|(iteration|turn|step).?limit"),
    ("budget", r"budget|(cost|usage|spend).?limit|limit.?exceeded\Z"),
    ("cancelled", r"cancel|abort|interrupt"),
    ("killed", r"sig(kill|term)|systemexit|killed|out.?of.?memory|memoryerror"),
)
"""What the type of a run's last error says about why it stopped; the first that is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """How the records of a run stand to their parents: parents that never came, records that begin before theirs."""

    orphans: int
    early: int

    @classmethod
    def of(cls, steps: Iterable[Step], begun: Mapping[tuple[str | None, str | None], int]) -> "Parents":
        """Count; `begun` says of every span of the run's traces (trace id, span id) when it began."""
        orphans = early = 0
        for step in steps:
            if step["parent_span_id"] is not None:
                parent_ns = begun.get((step["trace_id"], step["parent_span_id"]))
                orphans += parent_ns is None
                early += parent_ns is not None and step["start_ns"] < parent_ns - _TOLERANCE_NS
        return cls(orphans=orphans, early=early)


def run_row(run_id: str, steps: Sequence[Step], parents: Parents, *, now: datetime, silence_seconds: float) -> dict[str, Any] | None:
    """Return the row; None where there is nothing but heartbeats. `steps` are all of the run, in the order of its story.

    They have the columns of the view `steps`, and `repeated`: another step tells the same (`sql/views/_repeated_steps.sql`).
    """
    if all(step["kind"] == "heartbeat" for step in steps):
        return None
    counted = [step for step in steps if step["counted"]]
    tops = [step for step in steps if step["source"] == "span" and (step["kind"] == "run" or step["parent_span_id"] is None)]
    ends = [step for step in tops if step["kind"] != "other"]
    stated = _stated_reason(steps, tops)
    last_at = max(step["ended_at"] or step["started_at"] for step in steps)
    silent = last_at < now - timedelta(seconds=silence_seconds)
    status = _status(steps, tops, ends, stated, parents, silent=silent)
    started_at = min(step["started_at"] for step in steps)
    duration_ms = (last_at - started_at) // timedelta(microseconds=1) / 1e3
    return {
        **_who(run_id, steps, tops),
        "started_at": started_at,
        "ended_at": None if status in _OPEN else last_at,
        "duration_ms": duration_ms,
        "status": status,
        "stop_reason": _reason(status, steps, tops) if stated is None else stated,
        **_counts(steps, counted),
        "orphans": parents.orphans,
        "gaps": None if status == "running" else _gaps(steps),
        **_redacted(steps),
        "trace_ids": sorted({step["trace_id"] for step in steps} - {None}),
        "last_at": last_at,
        "sent_cost_usd": _sum(counted, "sent_cost_usd"),
        "cache_savings_usd": _sum(counted, "cache_savings_usd"),
        **_times(steps, tops, duration_ms, status),
        **{column: _first_known(_last(tops, column, _end), _last(steps, column, _end)) for column in ("quality_score", "satisfaction")},
        "after_end": None if status in _OPEN else _after_end(steps, ends),
        "clock_anomalies": parents.early + sum(map(_odd_time, steps)),
        "repeated_calls": _repeated_calls(steps),
        "retries": max(sum(bool(step["retried"]) for step in steps), _sum(counted, "retry_count") or 0),
        "cost_differs": _cost_differs(counted),
    }


def _who(run_id: str, steps: Sequence[Step], tops: Sequence[Step]) -> dict[str, Any]:
    agents = [step for step in steps if step["kind"] == "agent"]
    spans = [step for step in steps if step["source"] == "span"]
    leading = [step for step in spans if step["kind"] in {"agent", "run"} and step["dialect"] != "otel"]
    own = [step for step in tops if step["kind"] == "agent" or step["dialect"] in {"auditlake", "execution"}]
    first = next((step for step in steps if step["agent_name"] is not None), None)
    named = () if first is None else (step for step in steps if step["start_ns"] == first["start_ns"])
    agent = _first_known(_least(own, "agent_name"), _first(agents, "agent_name"), _least(tops, "agent_name"), _least(named, "agent_name"))
    name = _first_known(*(_first(several, "name") for several in ([s for s in spans if s["kind"] == "run"], tops, spans)))
    return {
        "run_id": run_id,
        **{column: _of_first(leading, steps, column) for column in ("session_id", "tenant", "project", "environment", "release")},
        "agent_name": agent,
        "actor": _of_first(leading, steps, "actor"),
        "name": name,
        "task_type": _of_first(leading, steps, "task_type"),
    }


def _counts(steps: Sequence[Step], counted: Sequence[Step]) -> dict[str, Any]:
    return {
        "steps": len(steps),
        "model_calls": sum(step["kind"] == "model" for step in counted),
        "tool_calls": sum(step["kind"] == "tool" and not _repeats(step) for step in steps),
        "errors": sum(step["status"] == "error" and (not _repeats(step) or step["dialect"] == "mcp") for step in steps),
        **{
            column: _sum(counted, column)
            for column in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd")
        },
        "unpriced_calls": sum(step["cost_usd"] is None for step in counted),
    }


def _gaps(steps: Sequence[Step]) -> int:
    numbers = {step["sequence"] for step in steps if (step["sequence"] or 0) > 0}
    highest = _most(chain((step["sequence"] for step in steps), (step["sequence_last"] for step in steps)))
    return 0 if highest is None else int(highest - len(numbers))


def _redacted(steps: Sequence[Step]) -> dict[str, int]:
    found = [step["redactions"] for step in steps if step["redactions"]]
    withheld = sum(each.get("WITHHELD", 0) for each in found)
    return {"withheld": withheld, "redactions": sum(sum(each.values()) for each in found) - withheld}


def _repeats(step: Step) -> bool:
    return bool(step["repeated"]) or (step["kind"] == "model" and step["source"] == "event" and not step["counted"])


def _stated_reason(steps: Sequence[Step], tops: Sequence[Step]) -> str | None:
    outermost = _outermost_agent(steps)
    events = [step for step in steps if step["source"] == "event"]
    of_agent = None if outermost is None else outermost["stop_reason"]
    reason: str | None = _first_known(_last(tops, "stop_reason", _end), of_agent, _last(events, "stop_reason", _end))
    return reason


def _status(
    steps: Sequence[Step], tops: Sequence[Step], ends: Sequence[Step], stated: str | None, parents: Parents, *, silent: bool
) -> str:
    opened = sum(step["source"] == "event" and "run.started" in {step["event_name"], step["name"]} for step in steps) > len(ends)
    traced = any(step["source"] == "span" for step in steps)
    rootless = not tops and (parents.orphans > 0 or not traced)
    if opened:
        return "abandoned" if silent else "running"
    if rootless and not silent:
        return "running"
    if _failed(steps, tops, ends) or stated in {"error", "timeout", "killed"}:
        return "error"
    led = any(step["source"] == "span" and step["kind"] in {"run", "agent"} for step in steps)
    return "abandoned" if rootless and traced and not led and stated is None else "ok"


def _failed(steps: Sequence[Step], tops: Sequence[Step], ends: Sequence[Step]) -> bool:
    status = _first_known(_last([step for step in tops if step["kind"] == "run"], "status", _end), _last(ends, "status", _end))
    if status is not None:
        return bool(status == "error")
    top = _last(tops, "status", _end)
    agent = _outermost_agent(steps)
    if agent is not None:
        return "error" in {agent["status"], top}
    return bool(_first_known(top, _last(steps, "status", _end)) == "error")


def _reason(status: str, steps: Sequence[Step], tops: Sequence[Step]) -> str | None:
    """Why a run stopped that does not state it."""
    if status == "abandoned":
        return "abandoned"
    if status == "ok" and tops:
        return "completed"
    if status != "error":
        return None
    failed = [step for step in steps if step["status"] == "error"]
    agents = [step for step in failed if step["source"] == "span" and step["kind"] == "agent"]
    top = {id(step) for step in tops}
    error = _first_known(
        _last([step for step in failed if id(step) in top], "error_type", _end),
        _last(agents, "error_type", _outermost),
        _last(failed, "error_type", _end),
    )
    return next((reason for reason, said in _REASONS if error and re.search(said, error, re.IGNORECASE)), "error")


def _times(steps: Sequence[Step], tops: Sequence[Step], duration_ms: float, status: str) -> dict[str, float | None]:
    """How long the run planned, and did what it had planned."""
    planning = _first_known(_most(step["planning_ms"] for step in tops), _most(step["planning_ms"] for step in steps))
    execution = _first_known(_most(step["execution_ms"] for step in tops), _most(step["execution_ms"] for step in steps))
    if planning is None:
        planning = _planned_ms(steps)
    if execution is None and planning is not None and status not in _OPEN:
        execution = max(duration_ms - planning, 0)
    return {"planning_ms": planning, "execution_ms": execution}


def _planned_ms(steps: Sequence[Step]) -> float | None:
    """The time that lies in steps of the operation `plan`; what two of them share counts once."""
    plans = sorted(
        (step["start_ns"], step["end_ns"])
        for step in steps
        if step["source"] == "span" and step["operation"] == "plan" and (step["end_ns"] or 0) > step["start_ns"]
    )
    if not plans:
        return None
    spent = ended = 0
    for begun, end in plans:
        spent += max(end - max(begun, ended), 0)
        ended = max(ended, end)
    return spent / 1e6


def _after_end(steps: Sequence[Step], ends: Sequence[Step]) -> int:
    end_ns = _most(step["end_ns"] for step in ends)
    return 0 if end_ns is None else sum(step["start_ns"] > end_ns for step in steps)


def _odd_time(step: Step) -> bool:
    return bool(step["clock_flagged"]) or (step["source"] == "span" and 0 < (step["end_ns"] or 0) < step["start_ns"])


def _repeated_calls(steps: Sequence[Step]) -> int:
    calls = [call for step in steps if step["kind"] == "tool" and not step["repeated"] and (call := _call(step)) is not None]
    return len(calls) - len(set(calls))


def _call(step: Step) -> str | None:
    attributes = step["attributes"] or {}
    arguments = next((said for name in ARGUMENTS if (said := attributes.get(name)) is not None), None)
    return None if arguments is None or step["tool_name"] is None else f"{step['tool_name']} {arguments}"


def _cost_differs(counted: Iterable[Step]) -> bool | None:
    pairs = [
        (step["sent_cost_usd"], step["cost_usd"])
        for step in counted
        if step["cost_source"] not in {None, "sent"} and step["sent_cost_usd"] is not None and step["cost_usd"] is not None
    ]
    return any(abs(sent - ours) > 0.01 * max(abs(sent), abs(ours)) for sent, ours in pairs) if pairs else None


def _end(step: Step) -> int | None:
    end_ns: int | None = step["end_ns"]
    return end_ns


def _outermost(step: Step) -> tuple[int, int] | None:
    """Of steps that end together the one that began first."""
    return None if step["end_ns"] is None else (step["end_ns"], -step["start_ns"])


def _outermost_agent(steps: Sequence[Step]) -> Step | None:
    agents = [step for step in steps if step["source"] == "span" and step["kind"] == "agent" and step["end_ns"] is not None]
    return max(agents, key=lambda step: _outermost(step) or (0, 0), default=None)


def _first(steps: Iterable[Step], column: str) -> Any:
    """What the step says that began first, of those that say it."""
    return next((value for step in steps if (value := step[column]) is not None), None)


def _of_first(leading: Iterable[Step], steps: Iterable[Step], column: str) -> Any:
    """What its agents say, else all others, of each the first."""
    return _first_known(_first(leading, column), _first(steps, column))


def _last(steps: Iterable[Step], column: str, order: Callable[[Step], Any]) -> Any:
    """What the last step says, of those that say it and have an `order`."""
    told = [step for step in steps if step[column] is not None and order(step) is not None]
    return max(told, key=order, default={column: None})[column]


def _least(steps: Iterable[Step], column: str) -> Any:
    return min((step[column] for step in steps if step[column] is not None), default=None)


def _most(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _sum(steps: Iterable[Step], column: str) -> Any:
    known = [step[column] for step in steps if step[column] is not None]
    return sum(known) if known else None


def _first_known(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
