"""The rules of alerts/packs/agent-ops.yaml, and what they say of a lake: for the tests of each of them."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import alerts
from alerts.evaluate import Sample
from alerts.rules import LoadedRule, load_rules
from alerts.samples import read_samples
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import as_it_is

PACKS = Path(alerts.__file__).parent / "packs"
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def rules_of(pack: str) -> Mapping[str, LoadedRule]:
    """Return alert, with its reason where it has several → rule."""
    rules = [rule for group in load_rules([PACKS / pack]) for rule in group.rules]
    return {": ".join(filter(None, [rule.name, rule.labels.get("reason")])): rule for rule in rules}


RULES = rules_of("agent-ops.yaml")


def found(lake: AgentLake, alert: str, *, ago: timedelta = timedelta()) -> list[Sample]:
    """Return what the rule says of the lake as it would have seen it then."""
    with Lake.open(lake.seal().data, threads=1) as reader:
        return read_samples(RULES[alert], reader, eval_ts=NOW - ago, clean=as_it_is)


def by(label: str, lake: AgentLake, alert: str) -> dict[str, float]:
    """Return what the rule says of each agent, or run: cases of one rule stand beside each other in one lake."""
    rows = found(lake, alert)
    values = {row.labels[label]: row.value for row in rows}
    assert len(values) == len(rows), rows
    return values


def value(lake: AgentLake, alert: str) -> float | None:
    rows = found(lake, alert)
    assert len(rows) <= 1, rows
    return rows[0].value if rows else None
