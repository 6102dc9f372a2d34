"""Lakes of two releases, made from a seed: what a release did is a few numbers."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lake_builder import Row, event, model, span, write_lake


@dataclass(frozen=True, kw_only=True)
class Release:
    """How the runs of a release went, on average."""

    name: str
    runs: int = 120
    success: float = 0.97
    seconds: float = 4.0
    cost: float = 0.02
    tool_errors: float = 0.02
    denials: float = 0.05
    score: float = 0.85
    agent: str = "support"
    environment: str = "production"
    tasks: bool = False  # its runs have task ids: of the same tasks as every other release's
    starts_at: float = 0.0


def rows_of(release: Release, seed: int = 0) -> Iterator[Row]:
    """The spans (with trace ids) and log records (without `span_id`) of its runs."""
    for number in range(release.runs):
        rng = random.Random(f"{seed}/{number}" if release.tasks else f"{seed}/{release.name}/{number}")
        yield from _run(release, number, rng)


def _run(release: Release, number: int, rng: random.Random) -> Iterator[Row]:
    run, at = f"{release.name}-{number:04}", release.starts_at + number * 60.0
    common: dict[str, Any] = {
        "run": run, "trace": f"trace-{run}", "release": release.name, "agent_name": release.agent, "environment": release.environment,
        "tenant": "acme", "actor": "user-1",
    }  # fmt: skip
    hardness, luck = rng.random(), random.Random(f"luck/{release.name}/{number}")
    took = release.seconds * rng.lognormvariate(0, 0.4) * luck.lognormvariate(0, 0.1)
    failed = (hardness + 0.1 * luck.random()) % 1 > release.success  # much the same for the same task
    yield span("work", id=f"{run}-work", step_kind="agent", at=at, took=took, status_code=2 if failed else 1, **common)
    inside = {**common, "parent": f"{run}-work"}
    yield model(
        "chat", id=f"{run}-chat", at=at + 0.1, took=took / 2, cost=release.cost * rng.lognormvariate(0, 0.5), prompt_version="7",
        tokens=(900 + rng.randrange(200), 80), **inside,
    )  # fmt: skip
    for call in range(2):
        broken = luck.random() < release.tool_errors
        yield span(
            "search", id=f"{run}-tool-{call}", step_kind="tool", tool_name="search", at=at + 0.2, took=0.1,
            status_code=2 if broken else 1, **inside,
        )  # fmt: skip
    logged = {**common, "inside": f"{run}-work"}
    decision = "deny" if luck.random() < release.denials else "allow"
    yield event("policy.decision", at=at + 0.2, step_kind="policy", decision=decision, policy_version="2026-11", **logged)
    score = min(1.0, max(0.0, rng.gauss(release.score, 0.1)))
    yield event(
        "gen_ai.evaluation.result",
        at=at + took,
        step_kind="eval",
        eval_name="helpfulness",
        eval_score=score,
        eval_passed=score > 0.6,
        **logged,
    )
    if release.tasks:
        yield event("task", at=at, step_kind="other", **logged, attributes={"auditlake.task.id": f"task-{number}"})


def release_lake(data: Path, *releases: Release, events: tuple[Row, ...] = (), seed: int = 0) -> Path:
    """Write a lake of releases and return its folder."""
    rows = [row for release in releases for row in rows_of(release, seed)]
    write_lake(
        data,
        spans=[row for row in rows if "start_ns" in row],
        events=[*(row for row in rows if "time_ns" in row), *events],
    )
    return data


def rollout(release: str, *, at: float = 0, **said: str) -> Row:
    """An announcement of a release."""
    attributes = {f"auditlake.rollout.{name}": value for name, value in said.items()} | {"auditlake.rollout.release": release}
    return event("rollout", run=None, at=at, step_kind="other", agent_name="ci", attributes=attributes)
