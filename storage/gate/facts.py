"""What is known of a release besides its numbers: commit, versions, stage, owners; from announcements and from its own records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.gate.reading import ReleaseData, Scope
from storage.lake import Lake

NAMES: Final = {
    "commit": "commit",
    "dataset_version": "dataset version",
    "stage": "rollout stage",
    "model": "model",
    "prompt_version": "prompt version",
    "tool_schema_version": "tool-schema version",
    "policy_version": "policy version",
    "owner": "owner",
    "rollback_owner": "rollback owner",
    "change": "change",
}
"""In the order of the report, with their names for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact: `value` is None where nobody said it."""

    name: str
    value: str | None
    source: str  # `rollout event <record id>`, `runs`, `several in runs`, `unknown`
    observed: tuple[tuple[str, int], ...] = ()  # what runs worked with: value, runs; the most frequent first


def facts_of(lake: Lake, release: ReleaseData, scope: Scope) -> tuple[Fact, ...]:
    """Return every fact of `NAMES`. An announcement goes before what runs say, the newest first. Raises `StorageError`."""
    announced = lake.named(
        "gate_rollouts", release=release.release, agent=scope.agent, tenant=scope.tenant, environment=scope.environment
    ).to_pylist()
    observed: dict[str, list[tuple[str, int]]] = {}
    if release.runs:
        for row in lake.named("gate_versions", run_ids=release.run_ids).to_pylist():
            observed.setdefault(row["what"], []).append((row["value"], row["runs"]))
    return tuple(_fact(name, announced, tuple(observed.get(name, ()))) for name in NAMES)


def _fact(name: str, announced: Sequence[Mapping[str, Any]], observed: tuple[tuple[str, int], ...]) -> Fact:
    said = next((row for row in announced if (row[name] or "").strip()), None)
    if said is not None:
        return Fact(name=name, value=said[name], source=f"rollout event {said['record_id']}", observed=observed)
    if not observed:
        return Fact(name=name, value=None, source="unknown")
    return Fact(
        name=name,
        value=", ".join(value for value, _ in observed[:5]) + (" …" if len(observed) > 5 else ""),
        source="runs" if len(observed) == 1 else "several in runs",
        observed=observed,
    )
