"""Agent health: what the runs of each agent came to, with which versions, and whether the agent is alive.

An agent is a name in a tenant and an environment; its instances (agent ids) send heartbeats each for itself. Agents that only
sent heartbeats are there too: an agent that is alive and does nothing is worth knowing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from storage.lake import Lake

STATES: Final = ("hung", "down", "late", "alive", "stopped")
"""What the silence of an instance means, the worst first; an agent is as its worst instance."""
VERSIONS: Final = {
    "release": "releases",
    "agent_version": "agent_versions",
    "model": "models",
    "prompt_version": "prompt_versions",
    "policy_version": "policy_versions",
}
"""What is recorded → the column that lists what was seen of it, the newest first."""
_FORGOTTEN_NS: Final = 7 * 86_400 * 1_000_000_000
"""After so long without a beat an instance is forgotten, as by the alert AgentDown."""
_MARGIN_NS: Final = 3600 * 1_000_000_000
_COUNTS: Final = ("runs", "ok", "error", "abandoned", "running")

Key = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFilter:
    """Which agents and runs. None means any; times are naive UTC and of a run's start."""

    since: datetime | None = None
    until: datetime | None = None
    agent: str | None = None
    tenant: str | None = None
    environment: str | None = None


def agent_health(lake: Lake, wanted: AgentFilter) -> list[dict[str, Any]]:
    """Return one row an agent, by tenant, environment and name. Numbers are None where nothing is known. Raises `StorageError`.

    Beside the columns of `agents_runs`: `releases`, `agent_versions`, `models`, `prompt_versions`, `policy_versions` (lists, the newest
    first); `state` (of `STATES`; None without heartbeats), `last_heartbeat_at`, `silent_seconds`, `upgrade_available`, and `instances`.
    """
    params = {name: getattr(wanted, name) for name in AgentFilter.__dataclass_fields__}
    from_ns = None if wanted.since is None else _unix_ns(wanted.since) - _MARGIN_NS
    found = lake.named("agents_runs", from_ns=from_ns, **params)
    nothing = {column: 0 if column in _COUNTS else None for column in found.column_names}
    rows = {_key(row): row for row in found.to_pylist()}
    versions = _versions(lake.named("agents_versions", from_ns=from_ns, **params).to_pylist())
    beats_from = _unix_ns(lake.moment()["now"]) - _FORGOTTEN_NS
    alive = _instances(lake.named("agents_alive", from_ns=beats_from, **params).to_pylist())
    names = rows.keys() | alive.keys()
    return [_health(key, rows.get(key, nothing), versions.get(key, {}), alive.get(key, [])) for key in sorted(names, key=_order)]


def _health(key: Key, runs: Mapping[str, Any], versions: Mapping[str, list[str]], instances: list[dict[str, Any]]) -> dict[str, Any]:
    """One row."""
    tenant, environment, name = key
    beats = [each["last_beat"] for each in instances]
    return {
        **runs,
        "agent_name": name,
        "tenant": tenant,
        "environment": environment,
        **{column: versions.get(what, []) for what, column in VERSIONS.items()},
        "state": next((state for state in STATES if any(each["state"] == state for each in instances)), None),
        "last_heartbeat_at": max(beats, default=None),
        "silent_seconds": min((each["silent_seconds"] for each in instances), default=None),
        "upgrade_available": any(each["upgrade_available"] for each in instances) if instances else None,
        "instances": instances,
    }


def _versions(rows: Iterable[Mapping[str, Any]]) -> dict[Key, dict[str, list[str]]]:
    found: dict[Key, dict[str, list[str]]] = {}
    for row in rows:
        found.setdefault(_key(row), {}).setdefault(row["what"], []).append(row["value"])
    return found


def _instances(rows: Iterable[dict[str, Any]]) -> dict[Key, list[dict[str, Any]]]:
    found: dict[Key, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(_key(row), []).append(row)
    return found


def _key(row: Mapping[str, Any]) -> Key:
    return (row["tenant"], row["environment"], row["agent_name"])


def _order(key: Key) -> tuple[str, ...]:
    return tuple(part or "" for part in key)


def _unix_ns(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1e6) * 1000
