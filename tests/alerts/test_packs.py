"""The packs: each rule fires at its threshold, not just below it, not without data, and recovers."""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

import alerts
from alerts.binding import expression_check
from alerts.evaluate import Sample
from alerts.rules import LoadedRule, load_rules
from alerts.samples import read_samples
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import as_it_is

PACKS = Path(alerts.__file__).parent / "packs"
SIX = {"AgentDown", "HighErrorRate", "CostSpike", "AuditWriteLatency", "RunawayAgent", "UnapprovedSideEffect"}
NAMES = SIX | {
    "TaskStuck", "QueueBackup", "PolicyLatency", "TrustHandshakeLatency", "CredentialRotation", "AuditGap", "RedactionFailure",
    "PipelineStale", "MissedSchedule", "DeadLetter", "Watchdog",
}  # fmt: skip


def rules_of(pack: str) -> Mapping[str, LoadedRule]:
    """Return alert, with its reason where it has several → rule."""
    rules = [rule for group in load_rules([PACKS / pack]) for rule in group.rules]
    return {": ".join(filter(None, [rule.name, rule.labels.get("reason")])): rule for rule in rules}


RULES = rules_of("agent-ops.yaml")
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INF = float("inf")


@pytest.fixture
def agents(tmp_path: Path) -> AgentLake:
    return AgentLake(tmp_path)


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


# AgentDown


def test_agent_down(agents: AgentLake) -> None:
    cases = [
        (30 * MINUTE + SECOND, None, True),
        (30 * MINUTE, None, False),
        (181 * SECOND, 60.0, True),
        (180 * SECOND, 60.0, False),
        (61 * SECOND, 5.0, True),
        (60 * SECOND, 5.0, False),  # never shorter than a minute
        (8 * DAY, 60.0, False),  # forgotten
    ]
    for silence, interval, _ in cases:
        agents.agent = f"{silence} of {interval}"
        agents.beat(silence, interval_seconds=interval)
    expected = {f"{silence} of {interval}": silence.total_seconds() for silence, interval, fires in cases if fires}
    assert by("agent_name", agents, "AgentDown") == expected


def test_agent_down_recovers_with_the_next_beat(agents: AgentLake) -> None:
    agents.beat(2 * HOUR, interval_seconds=60)
    agents.beat(10 * SECOND, interval_seconds=60)
    assert found(agents, "AgentDown") == []
    assert len(found(agents, "AgentDown", ago=HOUR)) == 1, "and an hour ago it was down"


def test_an_agent_that_said_goodbye_is_not_down(agents: AgentLake) -> None:
    agents.beat(2 * HOUR, interval_seconds=60)
    agents.beat(2 * HOUR - SECOND, shutdown=True)
    assert found(agents, "AgentDown") == []


def test_an_agent_that_came_back_after_goodbye_can_be_down_again(agents: AgentLake) -> None:
    agents.beat(3 * HOUR, shutdown=True)
    agents.beat(2 * HOUR, interval_seconds=60)
    assert value(agents, "AgentDown") == 7200


def test_a_hung_agent_that_still_sends_spans_is_down(agents: AgentLake) -> None:
    agents.beat(HOUR, interval_seconds=60)
    agents.span("model", SECOND)
    [row] = found(agents, "AgentDown")
    assert (row.value, row.labels["state"]) == (3600, "hung")


def test_an_agent_that_never_declared_a_heartbeat_is_not_down(agents: AgentLake) -> None:
    agents.span("model", 3 * HOUR)
    assert found(agents, "AgentDown") == []


def test_agents_are_told_apart(agents: AgentLake) -> None:
    agents.beat(HOUR, interval_seconds=60)
    agents.agent = "billing"
    agents.beat(2 * HOUR, interval_seconds=60)
    labels = [(row.labels["agent_name"], row.annotations["summary"]) for row in found(agents, "AgentDown")]
    assert sorted(labels) == [
        ("billing", "billing is down: no heartbeat for 2h"),
        ("support", "support is down: no heartbeat for 1h"),
    ]


# HighErrorRate


def test_high_error_rate(agents: AgentLake) -> None:
    cases = [(20, 5, True), (20, 4, False), (19, 19, False), (100, 21, True), (100, 20, False)]
    for calls, errors, _ in cases:
        agents.agent = run = f"{errors} of {calls}"
        for number in range(calls):
            if number % 2:
                agents.tool(MINUTE, error=number < errors, run=run)
            else:
                agents.span("model", MINUTE, error=number < errors, run=run)
    expected = {f"{errors} of {calls}": errors / calls for calls, errors, fires in cases if fires}
    assert by("agent_name", agents, "HighErrorRate") == pytest.approx(expected)


def test_errors_of_another_agent_or_time_do_not_count(agents: AgentLake) -> None:
    for number in range(40):
        agents.tool(16 * MINUTE if number % 2 else MINUTE, error=bool(number % 2))
    agents.agent = "billing"
    for _ in range(19):
        agents.tool(MINUTE, error=True)
    assert found(agents, "HighErrorRate") == []


def test_attempts_that_were_made_again_do_not_count(agents: AgentLake) -> None:
    """On-call hears of calls that failed in the end: 8 of 20, and not of 28 failures in 40."""
    for number in range(10):
        for attempt in range(3):
            agents.tool(MINUTE - attempt * SECOND, error=attempt < 2 or number < 4, arguments={"order": number}, run=f"run-{number}")
        agents.span("model", MINUTE, error=number < 4, run=f"run-{number}")
    assert value(agents, "HighErrorRate") == pytest.approx(8 / 20)


# RunawayAgent


def test_the_same_call_again_and_again(agents: AgentLake) -> None:
    for calls in (5, 4):
        for number in range(calls):
            agents.tool(MINUTE, arguments={"order": 81}, tool_call_id=f"c{number}", run=f"{calls} calls")
    assert by("run_id", agents, "RunawayAgent") == {"5 calls": 5}


def test_other_arguments_another_tool_or_run_are_no_repetition(agents: AgentLake) -> None:
    for number in range(5):
        agents.tool(MINUTE, arguments={"order": number})
        agents.tool(MINUTE, arguments={"order": 1}, tool_name=f"t{number}")
        agents.tool(MINUTE, arguments={"order": 1}, run=f"run-{number + 5}")
        agents.tool(MINUTE)  # arguments that were not captured cannot be compared
    assert found(agents, "RunawayAgent") == []


def test_one_call_reported_twice_is_one(agents: AgentLake) -> None:
    for number in range(8):
        agents.tool(MINUTE, arguments={"order": 81}, tool_call_id=f"c{number % 4}")
    assert found(agents, "RunawayAgent") == []


def test_too_many_steps(agents: AgentLake) -> None:
    for steps in (201, 200):
        for _ in range(steps):
            agents.span("retrieval", MINUTE, run=f"{steps} steps")
    rows = found(agents, "RunawayAgent")
    assert [(row.labels["reason"], row.labels["run_id"], row.value) for row in rows] == [("too many steps", "201 steps", 201.0)]


def test_too_many_tokens_a_minute(agents: AgentLake) -> None:
    for tokens in (1_000_001, 1_000_000):
        agents.span("model", MINUTE, input_tokens=tokens - 400_000, output_tokens=400_000, run=f"{tokens} tokens")
    rows = found(agents, "RunawayAgent")
    assert [(row.labels["reason"], row.labels["run_id"]) for row in rows] == [("too many tokens a minute", "1000001 tokens")]


def test_a_run_that_ended_its_loop_is_forgotten(agents: AgentLake) -> None:
    for _ in range(9):
        agents.tool(20 * MINUTE, arguments={"order": 81})
    assert found(agents, "RunawayAgent") == []
    assert value_at(agents, 10 * MINUTE) == 9


def value_at(lake: AgentLake, ago: timedelta) -> float | None:
    [row] = found(lake, "RunawayAgent", ago=ago)
    return row.value


# UnapprovedSideEffect


def test_a_call_without_the_approval_it_needs(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True)
    agents.tool(2 * MINUTE, requires_approval=True)
    [row] = found(agents, "UnapprovedSideEffect")
    assert (row.value, row.labels["tool_name"], row.labels["run_id"]) == (2.0, "refund", "run-1")


def test_a_call_that_needs_none(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=False)
    agents.tool(MINUTE)
    assert found(agents, "UnapprovedSideEffect") == []


def test_a_call_that_was_refused_did_nothing(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True, run="refused", outcome="denied")
    agents.tool(MINUTE, requires_approval=True, run="rejected", error=True, error_type="ApprovalRequired")
    agents.tool(MINUTE, requires_approval=True, run="failed", error=True, error_type="Timeout")
    assert by("run_id", agents, "UnapprovedSideEffect") == {"failed": 1}


def test_a_call_that_is_told_twice_is_one(agents: AgentLake) -> None:
    for _ in range(2):
        agents.tool(MINUTE, requires_approval=True, tool_call_id="call-1")
    assert value(agents, "UnapprovedSideEffect") == 1


def test_the_last_decision_before_the_call_counts(agents: AgentLake) -> None:
    cases = {
        "granted": False,
        "requested": True,
        "requested granted": False,
        "requested denied": True,
        "granted expired": True,
        "denied granted": False,
        "Approved": False,
    }
    for run in cases:
        for number, state in enumerate(run.split()):
            agents.approval(10 * MINUTE - number * SECOND, state, run=run)
        agents.tool(MINUTE, requires_approval=True, run=run)
    assert by("run_id", agents, "UnapprovedSideEffect") == {run: 1 for run, fires in cases.items() if fires}


def test_an_approval_after_the_call_is_none(agents: AgentLake) -> None:
    agents.tool(MINUTE, requires_approval=True)
    agents.approval(MINUTE - SECOND, "granted")
    assert value(agents, "UnapprovedSideEffect") == 1


def test_an_expired_approval_is_none(agents: AgentLake) -> None:
    for run, expires in {"before": 2 * MINUTE, "with it": MINUTE, "later": -HOUR}.items():
        agents.approval(10 * MINUTE, "granted", expires=expires, run=run)
        agents.tool(MINUTE, requires_approval=True, run=run)
    assert by("run_id", agents, "UnapprovedSideEffect") == {"before": 1}


def test_the_approval_of_another_action_or_run_is_none(agents: AgentLake) -> None:
    agents.approval(10 * MINUTE, "granted", action="close_account")
    agents.approval(10 * MINUTE, "granted", run="run-2")
    agents.tool(MINUTE, requires_approval=True)
    assert value(agents, "UnapprovedSideEffect") == 1


def test_an_unapproved_call_is_told_for_a_quarter_of_an_hour(agents: AgentLake) -> None:
    agents.tool(16 * MINUTE, requires_approval=True)
    assert found(agents, "UnapprovedSideEffect") == []


# AuditWriteLatency


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({5.0: 98, 50.0: 2}, 50.0),  # two in a hundred took longer than 20 ms
        ({5.0: 99, 50.0: 1}, None),
        ({20.0: 100}, None),
        ({50.0: 19}, None),  # too few to have a 99th percentile
        ({50.0: 20}, 50.0),
        ({5.0: 50, INF: 50}, 400.0),  # beyond the last bound: the longest
    ],
)
def test_audit_write_latency(agents: AgentLake, counts: Mapping[float, int], expected: float | None) -> None:
    agents.acks(MINUTE, counts)
    assert value(agents, "AuditWriteLatency") == expected


def test_reports_of_the_window_are_added_and_bulk_does_not_count(agents: AgentLake) -> None:
    agents.acks(MINUTE, {5.0: 97})
    agents.acks(2 * MINUTE, {100.0: 3})
    agents.acks(MINUTE, {100.0: 1000}, kind="bulk")
    agents.acks(6 * MINUTE, {100.0: 1000})
    assert value(agents, "AuditWriteLatency") == 100.0


# CostSpike; NOW is a Saturday


def days_of_cost(lake: AgentLake, days: int, *, usual: float = 2.0, swing: float = 0.2) -> None:
    for day in range(1, days + 1):
        lake.cost(day * DAY, usual + (swing if day % 2 else -swing))


def test_cost_spike(agents: AgentLake) -> None:
    cases = [
        (16, 5.0, True),
        (16, 4.05, True),
        (16, 3.95, False),  # not twice the average
        (14, 5.0, True),
        (13, 5.0, False),  # no average yet
    ]
    for days, today, _ in cases:
        agents.agent = f"{today} after {days} days"
        days_of_cost(agents, days)
        agents.cost(HOUR, today)
    expected = {f"{today} after {days} days": today for days, today, fires in cases if fires}
    assert by("agent_name", agents, "CostSpike") == expected


def test_cents_are_no_spike(agents: AgentLake) -> None:
    days_of_cost(agents, 16, usual=0.2, swing=0.02)
    agents.cost(HOUR, 0.99)
    assert found(agents, "CostSpike") == []


def test_days_without_cost_are_days_that_cost_nothing(agents: AgentLake) -> None:
    """A job that runs every third day for $6: another such day is no spike, though the average is $2; $20 is one."""
    for day in range(3, 31, 3):
        agents.cost(day * DAY, 6.0)
    agents.cost(HOUR, 6.0)
    assert found(agents, "CostSpike") == []
    agents.cost(HOUR, 14.0)
    assert value(agents, "CostSpike") == 20.0


def test_series_that_swing_widely_need_more(agents: AgentLake) -> None:
    days_of_cost(agents, 16, usual=3.0, swing=2.5)
    agents.cost(HOUR, 7.0)
    assert found(agents, "CostSpike") == [], "more than twice the average of 3, but within the usual swing"
    agents.cost(HOUR, 40.0)
    assert value(agents, "CostSpike") == 47.0


def test_saturdays_are_compared_with_saturdays(agents: AgentLake) -> None:
    for day in range(1, 37):
        agents.cost(day * DAY, 10.0 if day % 7 == 0 else 2.0)
    agents.cost(HOUR, 11.0)
    assert found(agents, "CostSpike") == [], "every Saturday costs 10"


def test_calls_that_are_not_counted_cost_nothing(agents: AgentLake) -> None:
    days_of_cost(agents, 16)
    for number in range(2):
        agents.span("model", HOUR, cost_usd=3.9, response_id="the same", span_id=f"{number:016x}")
    assert found(agents, "CostSpike") == []


def test_cost_of_agents_is_told_apart(agents: AgentLake) -> None:
    days_of_cost(agents, 14)
    agents.cost(HOUR, 2.0)
    agents.agent = "research"
    days_of_cost(agents, 14)
    agents.cost(HOUR, 9.0)
    [row] = found(agents, "CostSpike")
    assert row.annotations["summary"] == "research has spent $9.00 on models today, far above its usual day"
