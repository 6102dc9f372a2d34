"""The rules about what agents do and how well: their files agree with each other, and what a lookback leaves out changes no verdict.

When each rule fires and when it does not is told by alerts/packs/tests/agent-quality.yaml and agent-statistics.yaml.
"""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

import alerts
from alerts.binding import expression_check
from alerts.evaluate import Alert, State, fingerprint
from alerts.inhibition import Inhibition
from alerts.routing import read_routing
from alerts.rules import LoadedRule, load_rules
from alerts.samples import read_samples
from collector.config_model import AlertsConfig
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import as_it_is

PACKS = Path(alerts.__file__).parent / "packs"
NAMES = {"ProviderOutage", "SecurityEvent", "RetrievalTrust", "NewTool", "BehaviourDrift", "QualityDrop"}
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def rules_of(pack: str) -> list[LoadedRule]:
    return [rule for group in load_rules([PACKS / pack]) for rule in group.rules]


RULES = rules_of("agent-quality.yaml")
IDS = [f"{rule.rule.alert}-{rule.labels['severity']}" for rule in RULES]


def test_the_packs_pass_their_own_check() -> None:
    with expression_check() as check:
        packs = [load_rules([PACKS / pack], check_sql=check) for pack in ("agent-quality.yaml", "demo-quality.yaml")]
    assert [{rule.rule.alert for group in groups for rule in group.rules} for groups in packs] == [NAMES, NAMES]


def test_the_demo_has_the_same_rules_with_other_parameters() -> None:
    def without_waits(pack: str) -> Iterator[object]:
        for group in yaml.safe_load((PACKS / pack).read_text())["groups"]:
            yield group["name"], set(group["params"]), "lookback" in group
            for rule in group["rules"]:
                yield {key: part for key, part in rule.items() if key not in ("for", "keep_firing_for")}

    assert list(without_waits("demo-quality.yaml")) == list(without_waits("agent-quality.yaml"))


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_every_rule_has_a_severity_a_summary_and_a_runbook(rule: LoadedRule) -> None:
    assert rule.labels["severity"] in ("critical", "warning", "info")
    assert {"summary", "description", "runbook"} <= rule.rule.annotations.keys()
    page = Path(alerts.__file__).parent.parent / rule.rule.annotations["runbook"]
    assert page.read_text().startswith(f"# {rule.rule.alert}\n")


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Records of every kind, of forty days, in files by the day and, near now, by the hour."""
    agents = AgentLake(tmp_path_factory.mktemp("weeks"))
    for ago in [40 * DAY, 33 * DAY, *(day * DAY for day in range(20, 0, -1)), *(hour * HOUR for hour in range(5, 0, -2)), 2 * MINUTE]:
        recent = ago < 2.5 * DAY
        for number in range(33):
            at, run = ago - number * timedelta(seconds=2), f"{ago}/{number}"
            agents.tool(at, run=run, tool_name="refund" if recent else "look_up")
            agents.event("gen_ai.evaluation.result", at, run=run, eval_name="tone", eval_passed=not recent, step_kind="eval")
        for name in ("billing", "support"):
            agents.agent = name
            for number in range(21):
                agents.span("model", ago, run=f"{name}/{ago}/{number}", provider="openai", error=recent)
                agents.span("retrieval", ago, attributes={"auditlake.retrieval.stale_source_ids": ["doc-1"] if recent else []})
        for number in range(5):
            attack = {"auditlake.security.category": "injection"}
            agents.event("security", ago - number * timedelta(seconds=2), actor="customer-4", attributes=attack)
        if ago == 2 * MINUTE:
            agents.tool(ago, run="last", tool_name="send_mail")
        agents.seal()
    with Lake.open(agents.data, threads=1) as reader:
        yield reader


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_files_that_the_lookback_leaves_out_change_no_verdict(weeks: Lake, rule: LoadedRule) -> None:
    """A rule says the same of the whole lake, and of this one it says something."""
    both = (rule, dataclasses.replace(rule, lookback=None))
    few, whole = (sorted(read_samples(one, weeks, eval_ts=NOW, clean=as_it_is), key=str) for one in both)
    assert few == whole != []
    opened = weeks.catalog.live_files("spans", from_ns=rule.from_ns(NOW.replace(tzinfo=None)))
    assert len(opened) < len(weeks.catalog.live_files("spans")), "and it leaves some out"


def test_the_same_data_give_the_same_answer(weeks: Lake) -> None:
    """The permutations of BehaviourDrift are decided by the ids of runs, not by chance or the order in which files are read."""
    [rule] = [rule for rule in RULES if rule.rule.alert == "BehaviourDrift"]
    edge = dataclasses.replace(rule, parameters={**rule.parameters, "drift_p_value": 1.0, "drift_effect": 0.0})
    answers = [read_samples(edge, weeks, eval_ts=NOW, clean=as_it_is) for _ in range(2)]
    assert answers[0] == answers[1] != []


def firing(name: str, severity: str = "critical", **labels: str) -> Alert:
    every = {"alertname": name, "severity": severity, **labels}
    return Alert(labels=every, annotations={}, value=1.0, state=State.FIRING, fingerprint=fingerprint(every), active_at=NOW, fired_at=NOW)


def muted(source: Alert, target: Alert) -> bool:
    """Whether, without a word in the configuration, nobody is told of `target` while `source` fires."""
    rules = [rule.model_dump() for rule in AlertsConfig().inhibit_rules]
    return Inhibition(read_routing(None, rules).inhibit_rules, [source, target]).by(target.labels) is not None


SUPPORT = {"tenant": "acme", "environment": "prod", "agent_name": "support"}
OUTAGE = firing("ProviderOutage", provider="openai", **SUPPORT)


@pytest.mark.parametrize("name", ["HighErrorRate", "AgentDown", "TaskStuck"])
def test_an_outage_of_a_provider_mutes_what_follows_from_it_at_its_agents(name: str) -> None:
    assert muted(OUTAGE, firing(name, **SUPPORT, task_type="refund"))
    assert not muted(OUTAGE, firing(name, **{**SUPPORT, "agent_name": "billing"}))
    assert not muted(OUTAGE, firing(name, **{**SUPPORT, "tenant": "other"}))


def test_an_outage_of_a_provider_mutes_nothing_else() -> None:
    for name in ("SecurityEvent", "UnapprovedSideEffect", "CostSpike", "ProviderOutage", "RunawayAgent"):
        assert not muted(OUTAGE, firing(name, **SUPPORT))


def test_a_repeated_attack_mutes_the_warning_of_the_same_agent() -> None:
    attack = firing("SecurityEvent", actor="customer-4", reason="repeated by one actor", **SUPPORT)
    assert muted(attack, firing("SecurityEvent", "warning", category="injection", **SUPPORT))
    assert not muted(attack, attack)
    assert not muted(attack, firing("SecurityEvent", "warning", category="injection", **{**SUPPORT, "agent_name": "billing"}))


@pytest.mark.parametrize("reason", ["no data", "ingest lag", "sealing is stuck"])
def test_rules_that_see_nothing_new_say_nothing_of_agents(reason: str) -> None:
    stale = firing("PipelineStale", reason=reason)
    assert all(muted(stale, firing(name, **SUPPORT)) for name in ("AgentDown", "TaskStuck", "QueueBackup", "MissedSchedule", "NewTool"))
    kept = ("PipelineStale", "Watchdog", "AuditGap", "AuditWriteLatency", "RedactionFailure", "UnapprovedSideEffect", "SecurityEvent")
    assert not any(muted(stale, firing(name, **SUPPORT)) for name in kept)


def test_a_full_disk_mutes_nothing() -> None:
    assert not muted(firing("PipelineStale", reason="the disk fills up"), firing("AgentDown", **SUPPORT))


def test_the_page_of_an_objective_mutes_its_ticket() -> None:
    page = firing("AgentAvailability", service="agents", slo="availability", urgency="page", **SUPPORT)
    assert muted(page, firing("AgentAvailability", "warning", service="agents", slo="availability", urgency="ticket", **SUPPORT))
    assert not muted(page, firing("AgentLatency", "warning", service="agents", slo="latency", urgency="ticket", **SUPPORT))
