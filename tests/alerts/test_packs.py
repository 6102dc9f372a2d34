"""The packs as a whole: they are in order, documented, and say the same of the files that they open as of all."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

import alerts
from alerts.binding import expression_check
from alerts.rules import LoadedRule, load_rules
from alerts.samples import read_samples
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import as_it_is
from tests.alerts.pack_rules import DAY, HOUR, MINUTE, PACKS, RULES, rules_of

SIX = {"AgentDown", "HighErrorRate", "CostSpike", "AuditWriteLatency", "RunawayAgent", "UnapprovedSideEffect"}
NAMES = SIX | {
    "TaskStuck", "QueueBackup", "PolicyLatency", "TrustHandshakeLatency", "CredentialRotation", "AuditGap", "RedactionFailure",
    "PipelineStale", "MissedSchedule", "DeadLetter", "Watchdog",
}  # fmt: skip


@pytest.mark.parametrize("pack", ["agent-ops.yaml", "demo.yaml"])
def test_the_packs_pass_their_own_check(pack: str) -> None:
    with expression_check() as check:
        groups = load_rules([PACKS / pack], check_sql=check)
    assert {rule.name for group in groups for rule in group.rules} == NAMES


def test_the_demo_has_the_same_rules_with_other_parameters() -> None:
    def without_waits(pack: str) -> Iterator[object]:
        for group in yaml.safe_load((PACKS / pack).read_text())["groups"]:
            yield group["name"], set(group.get("params", {})), "lookback" in group
            for rule in group["rules"]:
                yield {key: part for key, part in rule.items() if key not in ("for", "keep_firing_for")}

    assert list(without_waits("demo.yaml")) == list(without_waits("agent-ops.yaml"))


def test_an_empty_lake_fires_nothing_but_the_watchdog(agents: AgentLake) -> None:
    with Lake.open(agents.seal().data, threads=1) as reader:
        fired = {alert for alert, rule in RULES.items() if read_samples(rule, reader, eval_ts=NOW, clean=as_it_is)}
    assert fired == {"Watchdog"}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_rule_has_a_severity_a_summary_and_a_runbook(rule: LoadedRule) -> None:
    assert rule.labels["severity"] in (("none",) if rule.name == "Watchdog" else ("critical", "warning", "info"))
    assert {"summary", "description", "runbook"} <= rule.rule.annotations.keys()
    page = Path(alerts.__file__).parent.parent / rule.rule.annotations["runbook"]
    assert page.read_text().startswith(f"# {rule.name}\n")


def test_every_parameter_is_documented() -> None:
    groups = yaml.safe_load((PACKS / "agent-ops.yaml").read_text())["groups"]
    names = {name for group in groups for name in group.get("params", {})}
    text = (Path(alerts.__file__).parent.parent / "docs/alerts.md").read_text()
    assert {name for name in names if f"`{name}`" not in text} == set()


def long_history(agents: AgentLake) -> AgentLake:
    """Sixty days of records, in files by day and, near now, by minutes; late ones of old times came with the newest."""
    for day in range(60, 0, -4):
        agents.cost(day * DAY, 2.0)
        agents.approval(day * DAY, "granted", run=f"run-{day % 4}", action=f"tool-{day % 4}")
    agents.beat(8 * DAY, interval_seconds=60)
    agents.seal()
    for hours in (169, 167, 25, 24, 23, 2):
        agents.beat(hours * HOUR, interval_seconds=60)
        for number in range(3):
            agents.tool(hours * HOUR, run="run-1", arguments={"order": 81}, tool_call_id=f"{hours}-{number}")
        agents.approval(hours * HOUR, "granted" if hours % 2 else "denied", run=f"run-{hours % 4}", action=f"tool-{hours % 4}")
        if hours in (167, 24, 2):
            agents.seal()
    for minutes in range(41, 0, -5):
        agents.acks(minutes * MINUTE, {5.0: 20, 50.0: minutes % 3})
        for number in range(4):
            agents.tool(minutes * MINUTE, run=f"run-{number}", requires_approval=True, tool_name=f"tool-{number}", error=minutes > 12)
            agents.cost(minutes * MINUTE, 0.2, run=f"run-{number}", input_tokens=400_000)
        agents.tool(minutes * MINUTE + DAY, run="run-2", error=True, arguments={"order": 82})  # late
        if minutes % 2:
            agents.seal()
    return agents


def test_files_that_the_lookback_leaves_out_change_no_verdict(agents: AgentLake) -> None:
    """Each rule says the same of the whole lake, at any instant: also of runs that began before its lookback."""
    moments = [("agent-ops.yaml", 11 * MINUTE, SIX), ("agent-ops.yaml", DAY, {"RunawayAgent"})]
    moments += [("demo.yaml", timedelta(), SIX - {"HighErrorRate", "RunawayAgent"})]  # there is nothing for these two then
    cases = [(pack, rule, ago) for pack, ago, names in moments for name, rule in rules_of(pack).items() if name in names]
    fired = set()
    with Lake.open(long_history(agents).data, threads=1) as reader:
        for pack, rule, ago in cases:
            both = (rule, dataclasses.replace(rule, lookback=None))
            few, whole = (read_samples(one, reader, eval_ts=NOW - ago, clean=as_it_is) for one in both)
            assert sorted(few, key=str) == sorted(whole, key=str), (pack, rule.rule.alert, ago)
            fired |= {rule.rule.alert} if few else set()
            opened = reader.catalog.live_files("spans", from_ns=rule.from_ns(NOW.replace(tzinfo=None)))
            assert len(opened) < len(reader.catalog.live_files("spans")), "and it leaves some out"
    assert fired == SIX
