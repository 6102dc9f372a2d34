"""The strip at the top of a run: what became of it, in one sentence and a dozen facts. Pure: the reconstruction in, words out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboards import story, units, waterfall

Row = Mapping[str, Any]

_REASONS: Final = {
    "completed": "it completed", "max_steps": "it reached its step limit", "timeout": "it ran out of time", "error": "an error ended it",
    "budget": "its budget was used up", "cancelled": "it was cancelled", "killed": "it was killed",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of the strip; `worry` asks for attention."""

    label: str
    value: str
    said: str
    icon: str
    worry: bool = False


def headline(run: Row) -> str:
    """What became of the run: `Failed after 2 min 14 s: an error ended it`. Reasons that are not of the vocabulary are left to the page."""
    took = units.duration(run["duration_ms"])
    begun = {
        "ok": f"Ended after {took}", "error": f"Failed after {took}", "running": f"Running, {took} so far", "abandoned": f"Abandoned: silent since {took} after its start",
    }.get(run["status"], f"{run['status']} after {took}")  # fmt: skip
    reason = _REASONS.get(run.get("stop_reason") or "")
    return f"{begun}: {reason}" if reason else begun


def cause(steps: Sequence[Row]) -> Row | None:
    """The deepest failed step that came first: what an on-call reads first."""
    failed = [step for step in steps if step["status"] == "error"]
    return min(failed, key=lambda step: (-(step.get("depth") or 0), step["started_at"]), default=None)


def facts(run: Row, steps: Sequence[Row]) -> list[Fact]:
    """Duration, cost, tokens, steps, retries and approvals."""
    retries = sum(1 for step in steps if story.retry_count(step))
    waits = story.waiting_times(story.in_order(steps))
    asked = sum(1 for step in steps if step.get("approval_state") == "requested")
    refused = sum(1 for step in steps if story.denied(step))
    approvals = f"waited {units.duration(sum(waits.values()))}" if waits else "none asked for" if not asked else "not decided"
    return [
        Fact(label="Duration", value=units.duration(run["duration_ms"]), said=_busy(steps), icon=":material/timer:"),
        Fact(label="Cost", value=units.cost(run["cost_usd"]), said=_priced(run, steps), icon=":material/payments:", worry=bool(run.get("unpriced_calls"))),
        Fact(label="Tokens", value=units.count(_sum(run, "input_tokens", "output_tokens")), said=_tokens(run), icon=":material/token:"),
        Fact(label="Steps", value=units.count(run["steps"]), said=f"{units.count(run['model_calls'])} model, {units.count(run['tool_calls'])} tool calls", icon=":material/account_tree:"),
        Fact(label="Errors", value=units.count(run["errors"]), said=f"{units.count(retries)} retried", icon=":material/error:", worry=bool(run["errors"])),
        Fact(label="Approvals", value=units.count(asked), said=approvals + (f", {refused} denied" if refused else ""), icon=":material/how_to_reg:", worry=bool(refused)),
    ]  # fmt: skip


def completeness(found: Mapping[str, Any]) -> tuple[str, bool]:
    """Whether records are missing, as a sentence with numbers; True when something is."""
    run = found["run"]
    seen = len(found["steps"])
    lacks = [
        (run.get("orphans") or 0, "parent is missing", "parents are missing"),
        (run.get("gaps") or 0, "number is missing in the sequence", "numbers are missing in the sequence"),
        (run.get("withheld") or 0, "value was withheld", "values were withheld"),
    ]
    said = [f"{units.count(number)} {one if number == 1 else many}" for number, one, many in lacks if number]
    numbered = sum(1 for step in found["steps"] if step.get("sequence") is not None)
    if run["status"] in {"running", "abandoned"}:
        said.append("its end has not been seen")
    if said:
        return f"{units.plural(seen, 'record')} seen; {', '.join(said)}.", True
    basis = (
        f"{units.plural(numbered, 'record')} numbered without a gap"
        if numbered
        else "its records are not numbered, so only missing parents would show"
    )
    return f"{units.plural(seen, 'record')} seen, every parent among them; {basis}.", False


def redactions(steps: Sequence[Row]) -> dict[str, int]:
    """Findings of the run by entity, most frequent first."""
    counts: dict[str, int] = {}
    for step in steps:
        for entity, number in dict(step.get("redactions") or {}).items():
            counts[entity] = counts.get(entity, 0) + number
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def entries(steps: Sequence[Row]) -> list[str]:
    """The ledger entries that hold the run, as `origin: 12–14`, for the words "not verified yet"."""
    by_origin: dict[str, set[int]] = {}
    for step in steps:
        if step.get("origin") is not None and step.get("entry") is not None:
            by_origin.setdefault(str(step["origin"]), set()).add(int(step["entry"]))
    return [f"{origin}: {_ranges(sorted(numbers))}" for origin, numbers in sorted(by_origin.items())]


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
