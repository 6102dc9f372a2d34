"""The waterfall: a run's steps as rows of a tree with bars on one time axis. Pure: steps in, rows out; drawing is the component's job.

Errors are marked on every ancestor, so a folded branch never hides one. More than `FOLD_ABOVE` siblings fold to their first
`FOLD_SHOWN`, plus whatever failed, was selected, or leads there; the fold says how many it hides. Nothing is cut silently.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dashboards import design, units
from dashboards.timeline import Axis, idle_stretches

FOLD_ABOVE: Final = 500
FOLD_SHOWN: Final = 200
LABEL_LENGTH: Final = 160

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """What the component draws, and what the page says about it."""

    rows: list[dict[str, Any]]
    ticks: list[dict[str, Any]]
    total_ms: float
    idle_ms: float
    hidden: int = 0
    folds: int = 0


@dataclass(slots=True)
class _Tree:
    steps: dict[str, Step]
    children: dict[str | None, list[str]]
    origin: datetime
    total_ms: float
    troubled: set[str] = field(default_factory=set)
    critical: set[str] = field(default_factory=set)


def build(steps: Sequence[Step], *, selected: str | None = None, fold_idle: bool = False, unfold: bool = False) -> Waterfall:
    """Rows in tree order, depth first, siblings by time. `fold_idle` shortens idle stretches; `unfold` shows every sibling."""
    if not steps:
        return Waterfall(rows=[], ticks=[], total_ms=0.0, idle_ms=0.0)
    tree = _tree(steps)
    leaves = [_span(tree, key) for key in tree.steps if key not in tree.children and tree.steps[key].get("source") != "event"]
    idle = idle_stretches(leaves, tree.total_ms)
    axis = Axis(total_ms=tree.total_ms, folded=idle if fold_idle else ())
    kept = _ancestors(tree, selected)
    rows: list[dict[str, Any]] = []
    hidden = folds = 0
    stack: list[tuple[str, int]] = [(key, 0) for key in reversed(tree.children[None])]
    while stack:
        key, depth = stack.pop()
        if key.startswith(_FOLD):
            rows.append(_fold_row(key, depth))
            continue
        rows.append(_row(tree, axis, key, depth))
        below = tree.children.get(key, [])
        shown = below if unfold else _fold(tree, below, kept)
        if len(shown) < len(below):
            hidden, folds = hidden + len(below) - len(shown), folds + 1
            stack.append((f"{_FOLD}{len(below) - len(shown)}", depth + 1))
        stack.extend((child, depth + 1) for child in reversed(shown))
    return Waterfall(
        rows=rows,
        ticks=[{"at": round(tick.at, 5), "label": tick.label, "idle": tick.idle} for tick in axis.ticks()],
        total_ms=tree.total_ms,
        idle_ms=sum(gap.end - gap.start for gap in idle),
        hidden=hidden,
        folds=folds,
    )


_FOLD: Final = "\x00fold:"


def _tree(steps: Sequence[Step]) -> _Tree:
    by_id = {str(step["record_id"]): step for step in steps}
    origin = min(step["started_at"] for step in steps)
    end = max(step["ended_at"] or step["started_at"] for step in steps)
    children: dict[str | None, list[str]] = defaultdict(list)
    for key, step in by_id.items():
        parent = step.get("parent_record_id")
        children[parent if parent in by_id and parent != key else None].append(key)
    for siblings in children.values():
        siblings.sort(key=lambda key: by_id[key]["started_at"])
    _adopt_unreachable(by_id, children)
    tree = _Tree(steps=by_id, children=dict(children), origin=origin, total_ms=_ms(origin, end))
    for key, step in by_id.items():
        if step["status"] == "error":
            tree.troubled |= _ancestors(tree, key) - {key}
    tree.critical = _critical_path(tree)
    return tree


def _adopt_unreachable(by_id: Mapping[str, Step], children: dict[str | None, list[str]]) -> None:
    """Steps whose parents form a circle (sent so by a broken exporter) are shown as roots instead of vanishing."""
    reached: set[str] = set()
    stack = list(children[None])
    while stack:
        key = stack.pop()
        reached.add(key)
        stack.extend(child for child in children.get(key, []) if child not in reached)
    lost = [key for key in by_id if key not in reached]
    for key in lost:
        children[key] = [child for child in children[key] if child in reached]
    children[None].extend(lost)


def _ancestors(tree: _Tree, key: str | None) -> set[str]:
    """The step and everything above it."""
    found: set[str] = set()
    above = key
    while above is not None and above in tree.steps and above not in found:
        found.add(above)
        above = tree.steps[above].get("parent_record_id")
    return found


def _critical_path(tree: _Tree) -> set[str]:
    """The chain that decided when the run ended: from each step on, backwards from its end, the child that ended last before that."""
    roots = tree.children.get(None, [])
    if not roots:
        return set()
    found: set[str] = set()
    stack = [max(roots, key=lambda key: _span(tree, key)[1])]
    while stack:
        key = stack.pop()
        found.add(key)
        until = _span(tree, key)[1]
        below = sorted(((*_span(tree, child), child) for child in tree.children.get(key, [])), key=lambda item: item[1], reverse=True)
        for start, end, child in below:
            if end <= until + 0.001 and end > start and child not in found:
                stack.append(child)
                until = start
    return found


def _fold(tree: _Tree, siblings: list[str], kept: set[str]) -> list[str]:
    if len(siblings) <= FOLD_ABOVE:
        return siblings
    return [
        key
        for place, key in enumerate(siblings)
        if place < FOLD_SHOWN or key in kept or key in tree.troubled or tree.steps[key]["status"] == "error"
    ]


def _row(tree: _Tree, axis: Axis, key: str, depth: int) -> dict[str, Any]:
    step = tree.steps[key]
    start, end = _span(tree, key)
    left = axis.at(start)
    point = step.get("source") == "event" or end <= start
    look = design.kind_look(step["kind"])
    running = step.get("ended_at") is None and not point
    return {
        "id": key,
        "depth": depth,
        "kind": step["kind"],
        "icon": look.icon,
        "word": look.label,
        "colours": [look.light, look.dark],
        "label": label(step)[:LABEL_LENGTH],
        "took": "" if point else units.duration(end - start),
        "start": f"+{units.duration(start)}",
        "x": round(left, 5),
        "w": 0 if point else round(max(axis.at(end) - left, 0.0), 5),
        "point": point,
        "status": "running" if running else step["status"],
        "troubled": key in tree.troubled,
        "critical": key in tree.critical,
        "children": len(tree.children.get(key, [])),
        "marks": marks(step),
    }


def _fold_row(key: str, depth: int) -> dict[str, Any]:
    number = int(key.removeprefix(_FOLD))
    return {"id": "", "depth": depth, "fold": number, "label": f"… {units.plural(number, 'more step')} folded"}


def label(step: Step) -> str:
    """What a step is called in lists: the tool, model or agent where there is one, else the name it was sent with."""
    specific = {
        "tool": step.get("tool_name"),
        "model": step.get("model") or step.get("model_requested"),
        "agent": step.get("agent_name"),
        "eval": step.get("eval_name"),
    }.get(step["kind"])
    action = step.get("action") if step["kind"] in {"policy", "approval"} else None
    return str(specific or action or step["name"] or step["kind"])


def marks(step: Step) -> list[str]:
    """The few words that a row carries beside its label: decisions, approval states, failed evaluations, redactions."""
    found = [str(step[key]) for key in ("decision", "approval_state") if step.get(key)]
    if step.get("eval_passed") is not None:
        found.append("passed" if step["eval_passed"] else "failed")
    if step.get("redactions"):
        found.append("redacted")
    return found


def _span(tree: _Tree, key: str) -> tuple[float, float]:
    step = tree.steps[key]
    start = _ms(tree.origin, step["started_at"])
    ended = step.get("ended_at")
    if ended is None:
        return start, start if step.get("source") == "event" else tree.total_ms
    return start, max(_ms(tree.origin, ended), start)


def _ms(origin: datetime, time: datetime) -> float:
    return (time - origin).total_seconds() * 1000
