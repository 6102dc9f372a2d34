"""Who worked on a run: its agents, and how work went from one to the other.

A step belongs to the nearest agent step around it, else to the agent that it names itself. An agent step within another agent's steps is
a delegation: the outer one waits. A step that names `handoff_to` hands the conversation over: the other goes on.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

Step = Mapping[str, Any]

_AGENTS: Final = ("agent", "run")
_SUMS: Final = ("input_tokens", "output_tokens", "cost_usd")


def graph(steps: Sequence[Step]) -> dict[str, list[dict[str, Any]]]:
    """Return `agents` and `edges` of a reconstructed run, agents by their first step; `steps` come parents first.

    An agent has `name`, `steps`, `model_calls`, `input_tokens`, `output_tokens`, `cost_usd` (of counted calls; None: none is known) and
    `duration_ms` (of its outermost steps); an edge has `from`, `to`, `kind` (`delegation` or `handoff`) and `count`.
    """
    owners = _owners(steps)
    delegations = _delegations(steps, owners)
    handoffs = _handoffs(steps, owners)
    for pair, count in handoffs.items():  # a framework may nest the agent that took over in the one that handed over
        delegations[pair] -= count
    edges = [*_edges(delegations, "delegation"), *_edges(handoffs, "handoff")]
    names = dict.fromkeys([name for name in owners.values() if name] + [edge["to"] for edge in edges])
    own: dict[str | None, list[Step]] = {}
    for step in steps:
        own.setdefault(owners[step["record_id"]], []).append(step)
    return {"agents": [_agent(name, own.get(name, []), owners) for name in names], "edges": edges}


def _owners(steps: Sequence[Step]) -> dict[str, str | None]:
    """The agent of every step, by record id."""
    around: dict[str | None, str | None] = {None: None}
    owners: dict[str, str | None] = {}
    for step in steps:
        outer = around.get(step["parent_record_id"])
        is_agent = step["kind"] in _AGENTS and step["source"] == "span"
        own = step.get("agent_name") or (step["name"] if step["kind"] == "agent" else None)
        around[step["record_id"]] = (own or outer) if is_agent else outer
        owners[step["record_id"]] = around[step["record_id"]] or step.get("agent_name")
    return owners


def _delegations(steps: Sequence[Step], owners: Mapping[str, str | None]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for step in steps:
        outer, inner = owners.get(step["parent_record_id"] or ""), owners[step["record_id"]]
        if step["kind"] == "agent" and step["source"] == "span" and outer and inner and outer != inner:
            found[outer, inner] += 1
    return found


def _handoffs(steps: Sequence[Step], owners: Mapping[str, str | None]) -> Counter[tuple[str, str]]:
    """Hand-overs by pair; a framework that tells of one as a tool call and as a step of its own tells of it once."""
    by_kind: Counter[tuple[str, str, str]] = Counter()
    for step in steps:
        giver, taker = owners[step["record_id"]], step.get("handoff_to")
        if giver and taker and giver != taker:
            by_kind[giver, taker, step["kind"]] += 1
    found: Counter[tuple[str, str]] = Counter()
    for (giver, taker, _), count in by_kind.items():
        found[giver, taker] = max(found[giver, taker], count)
    return found


def _edges(counts: Mapping[tuple[str, str], int], kind: str) -> list[dict[str, Any]]:
    return [{"from": giver, "to": taker, "kind": kind, "count": count} for (giver, taker), count in counts.items() if count > 0]


def _agent(name: str, own: Sequence[Step], owners: Mapping[str, str | None]) -> dict[str, Any]:
    calls = [step for step in own if step.get("counted")]
    sums = {column: sum(known) if (known := [call[column] for call in calls if call[column] is not None]) else None for column in _SUMS}
    models = sum(step["kind"] == "model" for step in calls)
    return {"name": name, "steps": len(own), "model_calls": models, **sums, "duration_ms": _duration_ms(own, owners, name)}


def _duration_ms(own: Sequence[Step], owners: Mapping[str, str | None], name: str) -> float | None:
    """How long the agent's outermost steps took together; from its first to its last record where it has no step of its own."""
    agents = [step for step in own if step["kind"] in _AGENTS and step["source"] == "span"]
    outermost = [step for step in agents if owners.get(step["parent_record_id"] or "") != name]
    known = [step["duration_ms"] for step in outermost if step["duration_ms"] is not None]
    if known:
        return float(sum(known))
    if agents or not own:
        return None  # it has not ended
    return float(max(max(step["start_ns"], step["end_ns"] or 0) for step in own) - min(step["start_ns"] for step in own)) / 1e6
