"""The rules of a trace contract, over the steps of one run: pure, one function a section of the file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from storage.contract.file import Patterns, TraceContract
from storage.contract.report import Gap

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run: its row of `runs`, its steps in the order of time, its rows of `tool_authorizations`."""

    run: Row
    steps: Sequence[Row]
    calls: Sequence[Row]

    def of(self, kind: str) -> Iterator[Row]:
        """Yield the steps of a kind."""
        return (step for step in self.steps if step["kind"] == kind)


class Verdict(NamedTuple):
    """One requirement, judged."""

    rule: str  # the key of the file: `tools.require_approval`
    about: str  # what it was about: a tool, a model, a limit
    problem: str | None  # None: it is met
    record_id: str | None = None


def check_rules(contract: TraceContract, facts: Facts) -> tuple[int, tuple[Gap, ...]]:
    """Return how many requirements were judged, and those that are not met."""
    verdicts = [verdict for section in SECTIONS for verdict in section(contract, facts)]
    return len(verdicts), tuple(
        Gap(record_id=each.record_id, requirement=f"{each.rule}: {each.about}", event=each.rule, field=None, problem=each.problem)
        for each in verdicts
        if each.problem is not None
    )


def tools(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `tools`: what was called, and what came before."""
    wanted = contract.tools
    for call in facts.calls:
        name = _word(call["tool_name"])
        if wanted.allowed is not None:
            yield Verdict(
                "tools.allowed", name, _unless(_matches(name, wanted.allowed), "is not among the allowed tools"), call["record_id"]
            )
        if wanted.forbidden:
            yield Verdict("tools.forbidden", name, _when(_matches(name, wanted.forbidden), "must not be called"), call["record_id"])
        if _matches(name, wanted.require_policy):
            yield _policy("tools.require_policy", call)
        if _matches(name, wanted.require_approval):
            yield from _approval("tools.require_approval", contract, facts, call)
    names = [_word(call["tool_name"]) for call in facts.calls]
    for pattern in wanted.required:
        yield Verdict("tools.required", pattern, _unless(any(fnmatchcase(name, pattern) for name in names), "was not called"))
    for pattern, most in wanted.max_calls.items():
        count = sum(fnmatchcase(name, pattern) for name in names)
        yield Verdict("tools.max_calls", pattern, _when(count > most, f"{count} calls, at most {most} are allowed"))


def side_effects(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `side_effects`: a call that does not say that it only reads counts as one that writes."""
    wanted = contract.side_effects
    for call in facts.calls:
        name, stated = _word(call["tool_name"]), call["side_effect"]
        if wanted.require_class:
            yield Verdict(
                "side_effects.require_class", name, _unless(stated in CLASSES, "does not state its side effect"), call["record_id"]
            )
        if stated in {"none", "read"}:
            continue
        if wanted.require_policy:
            yield _policy("side_effects.require_policy", call)
        if wanted.require_approval:
            yield from _approval("side_effects.require_approval", contract, facts, call)


def _policy(rule: str, call: Row) -> Verdict:
    return Verdict(rule, _word(call["tool_name"]), call["policy_problem"] if call["executed"] else None, call["record_id"])


def _approval(rule: str, contract: TraceContract, facts: Facts, call: Row) -> Iterator[Verdict]:
    problem = call["approval_problem"] or (call["approver_problem"] if contract.approvals.by_another else None)
    if problem is None and contract.approvals.roles is not None:
        role = next((_role(step) for step in facts.of("approval") if step["record_id"] == call["approval_record_id"]), None)
        fits = role is not None and _matches(role, contract.approvals.roles)
        problem = _unless(fits, f"approved by the role {role}" if role else "the approver's role is not recorded")
    yield Verdict(rule, _word(call["tool_name"]), problem if call["executed"] else None, call["record_id"])


def _role(step: Row) -> str | None:
    attributes = step["attributes"]
    role: str | None = (attributes if isinstance(attributes, dict) else dict(attributes or ())).get("auditlake.approval.approver_role")
    return role


def models(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `models`: what was asked for and what answered."""
    wanted = contract.models
    for call in facts.of("model"):
        record = call["record_id"]
        named = [name for name in (call["model_requested"], call["model"]) if name]
        about = _word(named[-1] if named else None)
        if wanted.allowed is not None:
            fits = bool(named) and all(_matches(name, wanted.allowed) for name in named)
            yield Verdict("models.allowed", about, _unless(fits, "is not among the allowed models"), record)
        if wanted.forbidden:
            found = any(_matches(name, wanted.forbidden) for name in named)
            yield Verdict("models.forbidden", about, _when(found, "must not be asked"), record)
        if wanted.providers is not None:
            provider = call["provider"]
            fits = provider is not None and _matches(provider, wanted.providers)
            yield Verdict("models.providers", _word(provider), _unless(fits, "is not among the allowed providers"), record)
        if wanted.require_version and call["status"] != "error" and call["counted"]:
            yield Verdict("models.require_version", about, _unless(call["model"], "the model that answered is not recorded"), record)


def evals(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `evals`: each is there, with the result that it needs."""
    for wanted in contract.evals:
        found = [step for step in facts.of("eval") if step["eval_name"] == wanted.name]
        if not found:
            yield Verdict("evals", wanted.name, "was not recorded")
            continue
        last = found[-1]
        if wanted.min_score is not None:
            score = last["eval_score"]
            problem = "has no score" if score is None else _when(score < wanted.min_score, f"scored {score:g}, needs {wanted.min_score:g}")
            yield Verdict("evals.min_score", wanted.name, problem, last["record_id"])
        if wanted.passed is not None:
            differs = last["eval_passed"] is not wanted.passed
            yield Verdict("evals.passed", wanted.name, _when(differs, f"passed is {_word(last['eval_passed'])}"), last["record_id"])
        if wanted.min_score is None and wanted.passed is None:
            yield Verdict("evals", wanted.name, None, last["record_id"])


def limits(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `limits`; what is only known in part can exceed a limit, and cannot be shown to keep it."""
    run = facts.run
    counted = [step for step in facts.steps if step["counted"]]
    unknown = {
        "cost_usd": sum(step["cost_usd"] is None for step in counted),
        "input_tokens": sum(step["input_tokens"] is None for step in counted),
        "output_tokens": sum(step["output_tokens"] is None and not _embeds(step) for step in counted),
    }
    if not counted:  # of an agent whose calls nobody recorded nothing is known
        unknown = dict.fromkeys(unknown, sum(1 for _ in facts.of("agent")))
    unknown["total_tokens"] = max(unknown["input_tokens"], unknown["output_tokens"])
    values = {
        name: run[name] or 0 for name in ("cost_usd", "steps", "model_calls", "tool_calls", "errors", "input_tokens", "output_tokens")
    }
    values["total_tokens"] = values["input_tokens"] + values["output_tokens"]
    values["duration_seconds"] = (run["duration_ms"] or 0) / 1000
    for name, most in contract.limits:
        if most is None:
            continue
        problem = _when(values[name] > most, f"{values[name]:g}, at most {most:g}")
        if problem is None and unknown.get(name):
            problem = f"is not known of {unknown[name]} steps, so that it cannot be shown to be at most {most:g}"
        yield Verdict("limits", name, problem)


def _embeds(step: Row) -> bool:
    """Whether a call makes embeddings: it has no output tokens."""
    return str(step["operation"] or "").startswith("embedding")


def events(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `events`: which steps there are, and in which order."""
    wanted = contract.events
    labelled = [(step["record_id"], labels(step)) for step in facts.steps]
    for pattern in wanted.required:
        found = any(_any(each, pattern) for _, each in labelled)
        yield Verdict("events.required", pattern, _unless(found, "is not there"))
    for pattern in wanted.forbidden:
        records = [record for record, each in labelled if _any(each, pattern)]
        for record in records or [None]:
            yield Verdict("events.forbidden", pattern, _when(record is not None, "must not be there"), record)
    at = 0
    before = "the beginning"
    for pattern in wanted.in_order:
        place = next((number for number, (_, each) in enumerate(labelled[at:], start=at) if _any(each, pattern)), None)
        yield Verdict("events.in_order", pattern, _when(place is None, f"does not come after {before}"))
        if place is not None:
            at, before = place + 1, pattern


def labels(step: Row) -> tuple[str, ...]:
    """Return what a step can be called in `events`: `tool`, `execute_tool issue_refund`, `tool:issue_refund`, `approval:granted:…`."""
    kind, name = step["kind"], step["name"]
    attributes = step["attributes"]
    sent = attributes if isinstance(attributes, dict) else dict(attributes or ())
    about: dict[str, tuple[object, ...]] = {
        "tool": (step["tool_name"],),
        "agent": (step["agent_name"],),
        "model": (step["model"] or step["model_requested"],),
        "policy": (step["decision"], step["tool_name"] or step["action"]),
        "approval": (step["approval_state"], step["tool_name"] or step["action"]),
        "eval": (step["eval_name"],),
        "checkpoint": (sent.get("auditlake.checkpoint.name"),),
        "memory": (sent.get("auditlake.memory.operation") or step["operation"],),
    }
    words = [str(word) for word in about.get(kind, ()) if word]
    chains = [":".join((kind, *words[: count + 1])) for count in range(len(words))]
    return (kind, name, f"{kind}:{name}", *chains)


def run(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `run`: how it ended, and whether its record is whole."""
    wanted, row = contract.run, facts.run
    if wanted.status is not None:
        yield Verdict("run.status", row["status"], _unless(row["status"] in wanted.status, f"must be {' or '.join(wanted.status)}"))
    if wanted.stop_reasons is not None:
        reason = row["stop_reason"]
        fits = reason is not None and _matches(reason, wanted.stop_reasons)
        yield Verdict("run.stop_reasons", _word(reason), _unless(fits, f"must be {' or '.join(wanted.stop_reasons)}"))
    if wanted.complete:
        missing = [f"{row[name]} {name}" for name in ("orphans", "gaps") if row[name]]
        missing += ["while it runs nobody knows its gaps"] if row["gaps"] is None else []
        yield Verdict("run.complete", "record", _when(bool(missing), f"is not whole: {', '.join(missing)}"))


def privacy(contract: TraceContract, facts: Facts) -> Iterator[Verdict]:
    """Judge `privacy`: what redaction found and had to withhold."""
    wanted = contract.privacy
    for step in facts.steps:
        found = dict(step["redactions"] or {})
        withheld = found.pop("WITHHELD", 0)
        if wanted.nothing_withheld:
            yield Verdict("privacy.nothing_withheld", step["kind"], _when(withheld, f"{withheld} values were withheld"), step["record_id"])
        for entity, count in sorted(found.items()):
            if _matches(entity, wanted.forbidden_entities):
                yield Verdict("privacy.forbidden_entities", entity, f"was found {count} times, and redacted", step["record_id"])


CLASSES: Final = ("none", "read", "write", "external")
"""What a tool call can say of its side effect."""

SECTIONS: Final[tuple[Callable[[TraceContract, Facts], Iterable[Verdict]], ...]] = (
    tools, side_effects, models, evals, limits, events, run, privacy,
)  # fmt: skip


def _matches(name: str, patterns: Patterns) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _any(names: Iterable[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _when(condition: object, problem: str) -> str | None:
    return problem if condition else None


def _unless(condition: object, problem: str) -> str | None:
    return None if condition else problem


def _word(value: object) -> str:
    return "unknown" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
