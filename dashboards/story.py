"""The story of a run: its steps in order as a transcript that a person reads from top to bottom. Pure: steps in, items out.

Every text stays a text (the component puts it on the page as text nodes), long ones are cut with the number of characters left out, and
only what is new at each model turn is repeated, as far as the attributes tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dashboards import design, units, waterfall
from storage import messages
from storage.messages import Message, Turn

CUT: Final = 1200
Step = Mapping[str, Any]

TONES: Final = {
    "deny": "bad", "denied": "bad", "expired": "bad", "failed": "bad", "error": "bad", "block": "bad", "blocked": "bad",
    "allow": "good", "granted": "good", "passed": "good", "requested": "warn", "redacted": "warn",
}  # fmt: skip
"""How the words at a step are coloured, beside being words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A place worth looking at: what it is, how many there are, and the first such step."""

    key: str
    label: str
    icon: str
    step: str
    number: int


def items(steps: Sequence[Step], said: Mapping[str, Sequence[Turn]] | None = None) -> list[dict[str, Any]]:
    """One item a step that has something to say, oldest first: title, times, tags, and blocks of content. `said`: their `turns`."""
    if not steps:
        return []
    ordered = in_order(steps)
    origin = ordered[0]["started_at"]
    waits = waiting_times(ordered)
    said = turns(steps) if said is None else said
    found = []
    wrappers = {step.get("parent_record_id") for step in ordered}
    for step in ordered:
        blocks = [block for turn in said.get(step["record_id"], ()) for block in _turn_blocks(turn)]
        blocks += _failure(step) if step["kind"] == "model" else _blocks(step, wraps=step["record_id"] in wrappers)
        found.append(_item(step, origin, blocks, waits.get(step["record_id"])))
    return found


def turns(steps: Sequence[Step]) -> dict[str, list[Turn]]:
    """What each step said that was not said before, by record id; a step that stands for several calls has several turns."""
    found: dict[str, list[Turn]] = {}
    for turn in messages.turns(steps):
        found.setdefault(turn.record_id, []).append(turn)
    return found


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Steps as they happened: by start, parents before their children, then by the number an SDK gave."""
    return sorted(steps, key=lambda step: (step["started_at"], step.get("depth") or 0, step.get("sequence") or 0))


def waiting_times(steps: Sequence[Step]) -> dict[str, float]:
    """For each decided approval (by record id), the ms since the last open request for the same action."""
    asked: dict[str, datetime] = {}
    found: dict[str, float] = {}
    for step in steps:
        state = step.get("approval_state")
        if not state:
            continue
        action = str(step.get("action") or step.get("tool_name") or "")
        if state == "requested":
            asked[action] = step["started_at"]
        elif action in asked:
            found[str(step["record_id"])] = (step["started_at"] - asked.pop(action)).total_seconds() * 1000
    return found


def jumps(steps: Sequence[Step]) -> list[Jump]:
    """The chips above the waterfall, only those that lead somewhere, each to its first step in time."""
    ordered = in_order(steps)
    leaves = [step for step in ordered if step["kind"] not in {"run", "agent"} and step.get("duration_ms")]
    slowest = sorted(leaves, key=lambda step: -step["duration_ms"])[:1]
    costliest = sorted(
        (step for step in ordered if step.get("cost_usd") and step.get("counted", True)), key=lambda step: -step["cost_usd"]
    )[:1]
    deepest = [step for step in ordered if step["status"] == "error"]
    first_error = sorted(deepest, key=lambda step: (-(step.get("depth") or 0), step["started_at"]))[:1]
    chips = [
        ("error", "Cause of error" if len(deepest) > 1 else "Error", "error", first_error, len(deepest)),
        ("slowest", "Slowest", "hourglass_top", slowest, 1),
        ("costliest", "Costliest", "payments", costliest, 1),
        ("approvals", "Approvals", "how_to_reg", [step for step in ordered if step.get("approval_state")], 0),
        ("denials", "Denials", "block", [step for step in ordered if denied(step)], 0),
        ("redactions", "Redactions", "visibility_off", [step for step in ordered if step.get("redactions")], 0),
        ("retries", "Retries", "replay", [step for step in ordered if retry_count(step)], 0),
        ("loops", "Loops", "all_inclusive", loops(ordered), 0),
    ]
    return [
        Jump(key=key, label=label, icon=icon, step=str(found[0]["record_id"]), number=number or len(found))
        for key, label, icon, found, number in chips
        if found
    ]


def denied(step: Step) -> bool:
    """Whether a policy or a person said no at this step."""
    return step.get("decision") in {"deny", "block", "denied", "reject"} or step.get("approval_state") in {"denied", "expired"}


def retry_count(step: Step) -> int:
    """Retries before this attempt, as the agent said."""
    text = (step.get("attributes") or {}).get("auditlake.tool.retry_count", "0")
    return int(text) if str(text).isdigit() else 0


def loops(ordered: Sequence[Step], *, times: int = 3) -> list[Step]:
    """The steps at which a tool was called with the very same arguments for at least the third time."""
    seen: dict[tuple[str, str], int] = {}
    found = []
    for step in ordered:
        if step["kind"] != "tool":
            continue
        given = messages.arguments(step.get("attributes") or {})
        if given is None:
            continue
        key = (waterfall.label(step), given)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] >= times:
            found.append(step)
    return found


def _item(step: Step, origin: datetime, blocks: list[dict[str, Any]], waited: float | None) -> dict[str, Any]:
    look = design.kind_look(step["kind"])
    offset = (step["started_at"] - origin).total_seconds() * 1000
    tags = [{"text": mark, "tone": TONES.get(mark, "plain")} for mark in waterfall.marks(step)]
    if waited is not None:
        tags.append({"text": f"waited {units.duration(waited)}", "tone": "warn"})
    if retry_count(step):
        tags.append({"text": f"retry {retry_count(step)}", "tone": "warn"})
    return {
        "id": step["record_id"],
        "kind": step["kind"],
        "icon": look.icon,
        "word": look.label,
        "colours": [look.light, look.dark],
        "title": waterfall.label(step)[: waterfall.LABEL_LENGTH],
        "at": step["started_at"].strftime("%H:%M:%S.%f")[:-3],
        "offset": f"+{units.duration(offset)}",
        "took": units.duration(step["duration_ms"]) if step.get("duration_ms") else "",
        "cost": units.cost(step["cost_usd"]) if step.get("cost_usd") is not None and step.get("counted", True) else "",
        "tokens": _tokens(step),
        "status": step["status"],
        "depth": min(step.get("depth") or 0, 8),
        "tags": tags,
        "blocks": blocks,
    }


def _tokens(step: Step) -> str:
    if step["kind"] != "model" or step.get("input_tokens") is None:
        return ""
    return f"{units.count(step['input_tokens'])} → {units.count(step.get('output_tokens'))} tokens"


def _turn_blocks(turn: Turn) -> list[dict[str, Any]]:
    """The new messages of a call, with a count of those that were sent again."""
    told = [(message, False) for message in turn.given] + [(message, True) for message in turn.answered]
    blocks = [block for message, answer in told for block in _message(message, answer=answer)]
    if turn.resent:
        blocks.insert(0, {"type": "note", "text": f"{units.plural(turn.resent, 'earlier message')} unchanged"})
    return blocks


def _blocks(step: Step, *, wraps: bool) -> list[dict[str, Any]]:
    """What a step says. A wrapper repeats what the steps within it say, so its own input and output are left to the step's panel."""
    attributes = step.get("attributes") or {}
    kind = step["kind"]
    blocks: list[dict[str, Any]] = []
    given, gave = messages.arguments(attributes), messages.result(attributes)
    if kind not in {"run", "agent"} and not (kind == "other" and wraps):
        words = ("arguments", "result") if kind == "tool" else ("input", "output")
        blocks += [_text(word, text) for word, text in zip(words, (given, gave), strict=True) if text]
    for name, key in _SAID.get(kind, ()):
        value = step.get(key) if key in step else attributes.get(key)
        if value not in {None, ""}:
            blocks.append({"type": "fact", "label": name, "text": str(value)})
    body = step.get("body")
    if body and body != step.get("name"):
        blocks.append(_text("body", messages.pretty(body)))
    return blocks + _failure(step)


_SAID: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "run": (("task", "task_type"), ("actor", "actor"), ("stopped because", "stop_reason")),
    "retrieval": (
        ("query", "gen_ai.retrieval.query.text"),
        ("sources", "auditlake.retrieval.source_ids"),
        ("documents", "gen_ai.retrieval.documents"),
        ("age of oldest source, s", "auditlake.retrieval.freshness_seconds"),
        ("access", "auditlake.retrieval.access_decision"),
    ),
    "memory": (
        ("operation", "auditlake.memory.operation"),
        ("read", "auditlake.memory.read_ids"),
        ("written", "auditlake.memory.write_ids"),
        ("retention", "auditlake.memory.retention_class"),
        ("basis", "auditlake.memory.policy_basis"),
    ),
    "policy": (
        ("decision", "decision"),
        ("reason", "reason_code"),
        ("policy version", "policy_version"),
        ("effect", "auditlake.policy.effect"),
    ),
    "approval": (
        ("action", "action"),
        ("approver", "approver"),
        ("role", "auditlake.approval.approver_role"),
        ("void after", "auditlake.approval.expires_at"),
    ),
    "eval": (
        ("score", "eval_score"),
        ("needed", "eval_threshold"),
        ("case", "auditlake.eval.case_id"),
        ("why", "gen_ai.evaluation.explanation"),
    ),
    "checkpoint": (("checkpoint", "auditlake.checkpoint.name"), ("state", "auditlake.checkpoint.state")),
    "tool": (("side effect", "side_effect"), ("authorized by", "auditlake.tool.authorization")),
    "other": (("action", "action"), ("resource", "resource"), ("outcome", "outcome"), ("category", "auditlake.security.category")),
}


def _failure(step: Step) -> list[dict[str, Any]]:
    if step["status"] != "error":
        return []
    said = ": ".join(str(step[key]) for key in ("error_type", "status_message") if step.get(key))
    return [{"type": "failure", "text": said or "failed without saying why"}]


def _message(message: Message, *, answer: bool) -> list[dict[str, Any]]:
    role = f"{message.role} · {message.name}" if message.name else message.role
    told = [(part["type"], messages.shown(part)) for part in message.parts]
    return [{"type": "message", "role": role, "sort": sort, "answer": answer, **_cut(text)} for sort, text in told]


def _text(label: str, text: str) -> dict[str, Any]:
    return {"type": "text", "label": label, **_cut(text)}


def _cut(text: str) -> dict[str, Any]:
    return {"text": text[:CUT], "more": max(len(text) - CUT, 0)}
