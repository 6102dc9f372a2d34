"""The strip at the top of a run: what became of it, in one sentence and a dozen facts. Pure: the reconstruction in, words out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards import story, units, waterfall

Row = Mapping[str, Any]

REASONS: Final = {
    "completed": "it completed", "max_steps": "it reached its step limit", "timeout": "it ran out of time", "error": "an error ended it",
    "budget": "its budget was used up", "cancelled": "it was cancelled", "killed": "it was killed",
}  # fmt: skip


REMARKS: Final = 3
"""Of each sort, so many are said; the reconstruction has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of the strip; `worry` asks for attention."""

    label: str
    value: str
    said: str
    icon: str


def headline(run: Row) -> str:
    """What became of the run: `Failed after 2 min 14 s: an error ended it`. Reasons that are not of the vocabulary are left to the page."""
    took = units.duration(run["duration_ms"])
    begun = {
        "ok": f"Ended after {took}",
        "error": f"Failed after {took}",
        "running": f"Running: {took} between its first and its newest record",
        "abandoned": f"Abandoned: nothing has been heard of it since {took} after its start",
    }.get(run["status"], f"{run['status']} after {took}")
    reason = REASONS.get(run.get("stop_reason") or "")
    return f"{begun}: {reason}" if reason else begun


def cause(steps: Sequence[Row]) -> Row | None:
    """The deepest failed step that came first: what an on-call reads first."""
    failed = [step for step in steps if step["status"] == "error"]
    return min(failed, key=lambda step: (-(step.get("depth") or 0), step["started_at"]), default=None)


def facts(run: Row, steps: Sequence[Row]) -> list[Fact]:
    """Duration, cost, tokens, steps, errors with retries, and approvals with how long they waited."""
    tokens = units.count(_sum(run, "input_tokens", "output_tokens"))
    calls = f"{units.count(run['model_calls'])} model, {units.count(run['tool_calls'])} tool calls"
    retries = sum(1 for step in steps if story.retry_count(step))
    asked, waited = _approvals(steps)
    return [
        Fact(label="Duration", value=units.duration(run["duration_ms"]), said=_busy(steps), icon="timer"),
        Fact(label="Cost", value=units.cost(run["cost_usd"]), said=_priced(run, steps), icon="payments"),
        Fact(label="Tokens", value=tokens, said=_tokens(run), icon="token"),
        Fact(label="Steps", value=units.count(run["steps"]), said=calls, icon="account_tree"),
        Fact(label="Errors", value=units.count(run["errors"]), said=f"{units.count(retries)} retried", icon="error"),
        Fact(label="Approvals", value=units.count(asked), said=waited, icon="how_to_reg"),
    ]


def _approvals(steps: Sequence[Row]) -> tuple[int, str]:
    waits = story.waiting_times(story.in_order(steps))
    asked = sum(1 for step in steps if step.get("approval_state") == "requested")
    refused = sum(1 for step in steps if step.get("approval_state") in {"denied", "expired"})
    said = f"waited {units.duration(sum(waits.values()))}" if waits else "not decided yet" if asked else "none asked for"
    return asked, said + (f", {refused} refused" if refused else "")


def completeness(found: Mapping[str, Any]) -> tuple[str, bool]:
    """Whether records are missing, as a sentence with numbers; True when something is, or may be."""
    known = found["completeness"]
    running = found["run"]["status"] == "running"
    dropped = sum((known.get("dropped") or {}).values())
    lacks = [
        (
            known["orphans"],
            "parent has not ended yet" if running else "parent is missing",
            "parents have not ended yet" if running else "parents are missing",
        ),
        (known["gaps"], "number is missing in the sequence", "numbers are missing in the sequence"),
        (known["withheld"], "value was withheld", "values were withheld"),
        (known["unended"], "run has not ended" if running else "run never ended", "runs never ended"),
        (dropped, "record was dropped by its exporter", "records were dropped by the exporter"),
        (len(known.get("after_end") or []), "step came after the end", "steps came after the end"),
    ]
    said = [f"{units.count(number)} {one if number == 1 else many}" for number, one, many in lacks if number]
    if known.get("sampled"):
        said.append("head sampling was in force, so whole parts may be absent")
    seen = units.plural(known["records"], "record")
    if said:
        return f"{seen} seen; {', '.join(said)}.", True
    numbered = known["numbered"]
    basis = (
        f"{units.count(numbered)} of them numbered, without a gap"
        if numbered
        else "they are not numbered, so only a missing parent would show"
    )
    return f"{seen} seen, with every parent; {basis}.", False


def remarks(found: Mapping[str, Any]) -> list[str]:
    """What on-call would otherwise have to find: loops and retries, who handed work to whom, clocks that are off."""
    said = [_loop(loop) for loop in (found.get("loops") or [])[:REMARKS]]
    edges = (found.get("graph") or {}).get("edges") or []
    if edges:
        named = [f"{edge['from']} → {edge['to']}" + (f" × {edge['count']}" if edge["count"] > 1 else "") for edge in edges[:REMARKS]]
        rest = len(edges) - REMARKS
        said.append(f"Agents: {', '.join(named)}" + (f" and {rest} more" if rest > 0 else ""))
    known = found["completeness"]
    off = len(known.get("clock_anomalies") or [])
    if off:
        corrected = ", and the times shown here are corrected" if known.get("corrected") else ""
        said.append(f"Clocks: {units.plural(off, 'anomaly', 'anomalies')}{corrected}")
    return said


def _loop(loop: Row) -> str:
    if loop["kind"] == "step_explosion":
        return f"Many steps: {units.count(loop['count'])} model and tool calls"
    if loop["kind"] == "retry":
        end = "then it succeeded" if loop["succeeded"] else "without success"
        return f"Retried: {loop['tool_name']}, {units.plural(loop['count'], 'time')}, {end}"
    times = units.plural(loop["count"], "time")
    return f"Loop: {loop['tool_name']}, {times} with the same arguments, {units.count(loop['in_a_row'])} in a row"


def redactions(steps: Sequence[Row]) -> dict[str, int]:
    """Findings of the run by entity, most frequent first."""
    counts: dict[str, int] = {}
    for step in steps:
        for entity, number in dict(step.get("redactions") or {}).items():
            counts[entity] = counts.get(entity, 0) + number
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def entries(integrity: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The origins that hold the run, each with its entry numbers: `12–14, 19`."""
    return [(str(part["origin"]), _ranges(sorted(part["entries"]))) for part in integrity.get("origins") or []]


def _ranges(numbers: Sequence[int]) -> str:
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in found)


def _busy(steps: Sequence[Row]) -> str:
    idle = waterfall.build(steps).idle_ms
    return f"{units.duration(idle)} of it idle" if idle else "no idle stretch"


def _priced(run: Row, steps: Sequence[Row]) -> str:
    versions = sorted({str(step["price_version"]) for step in steps if step.get("price_version")})
    unknown = f"{units.plural(int(run['unpriced_calls']), 'call')} without a price" if run.get("unpriced_calls") else ""
    return "; ".join(part for part in (", ".join(versions), unknown) if part) or "no priced call"


def _tokens(run: Row) -> str:
    cached = f" ({units.share(run['cache_read_tokens'], run['input_tokens'])} cached)" if run.get("cache_read_tokens") else ""
    return f"{units.count(run['input_tokens'])} in{cached}, {units.count(run['output_tokens'])} out"


def _sum(run: Row, *keys: str) -> int | None:
    known = [run[key] for key in keys if run.get(key) is not None]
    return int(sum(known)) if known else None
