"""What on-call reads of a run before anything else: a few labelled lines. Pure: the reconstruction in, words out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cli.figures import cost, duration, plural, short, tokens

Row = Mapping[str, Any]
Line = tuple[str, str, bool]
"""A label, what there is to say, and whether it asks for attention."""

REASONS: Final = {
    "completed": "it completed", "error": "an error ended it", "max_steps": "it reached its step limit", "timeout": "it ran out of time",
    "budget": "its budget was used up", "cancelled": "it was cancelled", "killed": "it was killed",
    "abandoned": "it never said that it ended, and fell silent",
}  # fmt: skip
_AT_MOST: Final = 5


def explanation(found: Row) -> list[Line]:
    """Return the lines about a run: who, when, how much, why it stopped, what is missing, what went in circles, who decided what."""
    run, steps = found["run"], found["steps"]
    lines = [
        ("who", _who(run), False),
        ("when", _when(run, found["completeness"]), False),
        ("used", _used(run), False),
        ("versions", _versions(steps), False),
        ("stopped", *_stopped(run, steps, found["loops"])),
        *_said(found.get("messages") or ()),
        ("complete", *_complete(run, found["completeness"])),
        *(("clocks", _clock(anomaly), True) for anomaly in found["completeness"]["clock_anomalies"][:_AT_MOST]),
        *(("loop", _loop(loop), loop["kind"] != "retry" or not loop["succeeded"]) for loop in found["loops"][:_AT_MOST]),
        ("agents", _agents(found["graph"]), False),
        *_errors(steps),
        ("approvals", *_approvals(steps)),
        ("policy", *_policy(steps)),
        ("integrity", _integrity(found["integrity"]), found["integrity"]["state"] == "failed"),
    ]
    return [line for line in lines if line[1]]


def _who(run: Row) -> str:
    names = (("agent", "agent_name"), ("actor", "actor"), ("tenant", "tenant"), ("task", "task_type"), ("session", "session_id"))
    parts = [f"{label} {run[name]}" for label, name in names if run[name]]
    place = [str(run[name]) for name in ("project", "environment", "release") if run[name]]
    return " · ".join([*parts, *place])


def _when(run: Row, complete: Row) -> str:
    split = [f"{label} {duration(run[name])}" for label, name in (("planning", "planning_ms"), ("execution", "execution_ms")) if run[name]]
    took = duration(run["duration_ms"]) + (f" ({', '.join(split)})" if split else "")
    said = f"{_moment(run['started_at'])}, took {took}"
    if run["status"] == "running":
        said = f"{_moment(run['started_at'])}, running: {took} to its newest record"
    if corrected := complete["corrected"]:
        said += f"; by clocks that agree from {_moment(corrected['started_at'])}, {duration(corrected['duration_ms'])}"
    return said


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _used(run: Row) -> str:
    calls = f"{plural(run['model_calls'], 'model call')}, {plural(run['tool_calls'], 'tool call')}"
    retries = plural(run["retries"], "retry", "retries") if run.get("retries") else ""
    cached = f"{run['cache_read_tokens']} of them cached" if run["cache_read_tokens"] else ""
    saved = f"{cost(run['cache_savings_usd'])} saved by it" if run["cache_savings_usd"] else ""
    unpriced = plural(run["unpriced_calls"], "call without a price", "calls without a price") if run["unpriced_calls"] else ""
    sent, ours = run["sent_cost_usd"], run["cost_usd"]
    differs = sent is not None and (ours is None or abs(sent - ours) > 0.01 * max(abs(ours), 1e-6))
    stated = f"the agent says {cost(sent)}" if differs else ""
    parts = [cost(ours), stated, tokens(run), cached, saved, calls, retries, unpriced, plural(run["steps"], "step")]
    return " · ".join(part for part in parts if part)


def _versions(steps: Sequence[Row]) -> str:
    names = (("agent", "agent_version"), ("model", "model"), ("prompt", "prompt_version"), ("policy", "policy_version"))
    found = []
    for label, name in names:
        if seen := list(dict.fromkeys(str(step[name]) for step in steps if step.get(name))):
            found.append(f"{label} {', '.join(seen[:_AT_MOST])}" + (" …" if len(seen) > _AT_MOST else ""))
    return " · ".join(found)


def _stopped(run: Row, steps: Sequence[Row], loops: Sequence[Row]) -> tuple[str, bool]:
    if run["status"] == "running":
        return "not yet", False
    reason = run["stop_reason"] or ""
    said = REASONS.get(reason, reason or "nobody said why: its root never came")
    step = cause(steps, loops) if run["status"] != "ok" else None
    return said + (f": {_failure(step)}" if step else ""), run["status"] != "ok" or reason not in {"completed", ""}


def cause(steps: Sequence[Row], loops: Sequence[Row]) -> Row | None:
    """Where to look: the deepest step that failed as its run did, and of those the first; what was tried again with success is none."""
    recovered = {record_id for loop in loops if loop["kind"] == "retry" and loop["succeeded"] for record_id in loop["record_ids"]}
    failed = [step for step in steps if step["status"] == "error" and step["record_id"] not in recovered]
    outermost = min(failed, key=lambda step: (step["depth"], step["start_ns"]), default=None)
    same = [step for step in failed if outermost and outermost["error_type"] and step["error_type"] == outermost["error_type"]]
    return min(same or failed, key=lambda step: (-step["depth"], step["start_ns"]), default=None)


def _failure(step: Row) -> str:
    what = " ".join(str(part) for part in (step["error_type"], short(step["status_message"] or "")) if part)
    return f"{step['kind']} {step['name']}" + (f": {what}" if what else " failed") + f" ({step['record_id']})"


def _said(messages: Sequence[Row]) -> Iterator[Line]:
    asked = next((text for message in messages if message["role"] == "user" and (text := _text(message))), None)
    answered = next((text for message in reversed(messages) if message["role"] == "assistant" and (text := _text(message))), None)
    yield from ((label, short(text), False) for label, text in (("asked", asked), ("answered", answered)) if text)


def _text(message: Row) -> str:
    return " ".join(str(part.get("text") or "") for part in message["parts"] if part.get("type") == "text").strip()


def _complete(run: Row, complete: Row) -> tuple[str, bool]:
    counts = [
        (complete["orphans"], "parent not ended yet" if run["status"] == "running" else "step whose parent is missing"),
        (complete["gaps"], "number missing"), (complete["unended"], "beginning without an end"), (complete["withheld"], "value withheld"),
        (sum(complete["dropped"].values()), "record dropped by the exporter"), (len(complete["after_end"]), "step after the end"),
        (complete["duplicates"], "record sent twice and left out"),
    ]  # fmt: skip
    lacking = [_many(count, what) for count, what in counts if count]
    lacking += ["head sampling was in force"] if complete["sampled"] else []
    seen = plural(complete["records"], "record")
    if lacking:
        return f"{seen}: {', '.join(lacking)}", not complete["complete"]
    numbered = f"{complete['numbered']:,} of them numbered, without a gap" if complete["numbered"] else "not numbered"
    return f"{seen} with every parent, {numbered}: nothing is known to be missing", False


def _many(count: int, what: str) -> str:
    noun, _, rest = what.partition(" ")
    return plural(count, noun) + (f" {rest}" if rest else "")


def _clock(anomaly: Row) -> str:
    count, many = plural(anomaly["count"], "step"), anomaly["count"] != 1
    if anomaly["kind"] == "skew":
        by = "behind" if anomaly["offset_ms"] > 0 else "ahead"
        told = "taken out below" if anomaly["corrected"] else "no one offset fits, nothing was corrected"
        return f"{anomaly['service']} is about {duration(abs(anomaly['offset_ms']))} {by} of {anomaly['against']} ({count}): {told}"
    what = {"before_parent": "begin before their parent" if many else "begins before its parent",
            "ends_before_start": "end before they begin" if many else "ends before it begins",
            "absurd_time": "came with absurd times" if many else "came with an absurd time"}  # fmt: skip
    return f"{count} {what.get(anomaly['kind'], anomaly['kind'])}"


def _loop(loop: Row) -> str:
    if loop["kind"] == "step_explosion":
        return f"{loop['count']:,} model and tool calls"
    if loop["kind"] == "retry":
        end = "then it succeeded" if loop["succeeded"] else "without success"
        return f"{loop['tool_name']}: {plural(loop['count'], 'retry', 'retries')}, {end}"
    said = f"{loop['tool_name']}: {loop['count']} times with the same arguments, {loop['in_a_row']} in a row"
    failed = f", {loop['failures']} failed" if loop["failures"] else ""
    return said + failed + (" (parts of the arguments are redacted)" if loop["redacted"] else "")


def _agents(graph: Row) -> str:
    edges = [f"{edge['from']} → {edge['to']}" + (f" × {edge['count']}" if edge["count"] > 1 else "") + f" ({edge['kind']})"
             for edge in graph["edges"]]  # fmt: skip
    more = len(edges) - 2 * _AT_MOST
    return " · ".join(edges[: 2 * _AT_MOST]) + (f" · and {more} more" if more > 0 else "")


def _errors(steps: Sequence[Row]) -> Iterator[Line]:
    failed = [step for step in steps if step["status"] == "error"]
    yield from (("error", _failure(step), True) for step in failed[:_AT_MOST])
    if len(failed) > _AT_MOST:
        yield "error", f"and {len(failed) - _AT_MOST} more", True


def _approvals(steps: Sequence[Row]) -> tuple[str, bool]:
    found = []
    for step in steps:
        if step["approval_state"] and step["kind"] == "approval":
            of = step["action"] or step["tool_name"] or ""
            by = f" by {step['approver']}" if step["approver"] else ""
            found.append(" ".join(part for part in (of, step["approval_state"]) if part) + by)
    refused = any(step["approval_state"] in {"denied", "expired"} for step in steps)
    return ", ".join(found[: 2 * _AT_MOST]) + (" …" if len(found) > 2 * _AT_MOST else ""), refused


def _policy(steps: Sequence[Row]) -> tuple[str, bool]:
    decided = Counter(step["decision"] for step in steps if step["kind"] == "policy" and step["decision"])
    denied = [step["reason_code"] or step["tool_name"] or step["name"] for step in steps if step["decision"] in {"deny", "block"}]
    said = ", ".join(f"{count} {decision}" for decision, count in decided.most_common())
    return said + (f": {', '.join(dict.fromkeys(denied[:_AT_MOST]))}" if denied else ""), bool(denied)


def _integrity(integrity: Row) -> str:
    origins = [f"{origin['origin']} entries {_range(origin['entries'])}" for origin in integrity["origins"]]
    return f"{integrity['state']} ({', '.join(origins)}): {integrity['statement']}"


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
