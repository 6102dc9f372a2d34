"""The demo's table, agent → alert → state → deadline: its agents cross the thresholds of packs/demo.yaml, and early enough."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import alerts
from alerts.durations import parse_duration
from alerts.rules import LoadedGroup, LoadedRule
from alerts.slo.replaying import load_all
from cli.demo import AGENTS, failing, looping, operations, report, silent, support, thorough
from cli.demo.expectations import EXPECTATIONS, Expectation

ROOT = Path(__file__).parents[2]
GROUPS = load_all([Path(alerts.__file__).parent / "packs" / name for name in ("demo.yaml", "demo-quality.yaml", "slos.yaml")])
START_SECONDS = 20.0
"""From the start of the demo until its agents run, on two cores."""
SEAL_SECONDS = 6.0
"""Until a record is readable, and the offset behind which rules look."""


def rules_of(row: Expectation) -> list[tuple[LoadedGroup, LoadedRule]]:
    """Return the rules that the row is about: of some alerts there are two, of two severities."""
    found = [(group, rule) for group in GROUPS for rule in group.rules if rule.name == row.alert]
    assert found
    return found


def parameters(alert: str) -> Mapping[str, Any]:
    return next(rule.parameters for group in GROUPS for rule in group.rules if rule.name == alert)


@pytest.mark.parametrize("row", EXPECTATIONS, ids=lambda row: f"{row.agent}-{row.alert}")
def test_a_row_names_an_agent_of_the_demo_and_a_rule_of_its_packs(row: Expectation) -> None:
    assert row.agent in AGENTS
    assert row.state == "firing"
    assert {rule.labels.get("severity") for _, rule in rules_of(row)} <= {"critical", "warning", "info"}


@pytest.mark.parametrize("row", EXPECTATIONS, ids=lambda row: f"{row.agent}-{row.alert}")
def test_the_deadline_leaves_time_for_the_agent_the_seal_and_the_rule(row: Expectation) -> None:
    """Whatever the pack waits for, beside two evaluations that may just have passed."""
    for group, rule in rules_of(row):
        interval = (group.interval or timedelta(seconds=5)).total_seconds()
        needed = START_SECONDS + row.after_seconds + SEAL_SECONDS + rule.rule.wait.total_seconds() + 2 * interval
        assert needed <= row.within_seconds, f"{needed} s"


def test_the_page_has_the_table_and_no_other_row() -> None:
    rows = [f"| `{row.agent}` | {row.alert} | {row.state} | {row.within_seconds:g} s | {row.because} |" for row in EXPECTATIONS]
    section = (ROOT / "docs/demo.md").read_text().split("## What you see, and by when")[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows


def test_the_silent_agent_is_silent_for_long_enough_at_its_deadline() -> None:
    limits = parameters("AgentDown")
    silence = max(silent.BEAT_SECONDS * limits["beat_intervals"], parse_duration(limits["beat_timeout_min"]).total_seconds())
    [row] = [row for row in EXPECTATIONS if row.alert == "AgentDown"]
    assert (silent.BEATS - 1) * silent.BEAT_SECONDS + silence <= row.after_seconds


def test_the_looping_agent_repeats_itself_often_enough() -> None:
    assert parameters("RunawayAgent")["runaway_repeats"] <= looping.MAX_STEPS


def test_the_failing_agent_fails_more_than_the_rule_allows() -> None:
    """The rate that its module states, at the seed of a test."""
    assert parameters("HighErrorRate")["error_rate"] < failing.TOOL_FAILS < failing.MODEL_FAILS


def test_the_report_agent_spends_more_than_a_spike() -> None:
    """At $15 a million tokens of the dear model."""
    least = report.BURST_RUNS * report.CALLS * report.BURST_TOKENS[0] * 15e-6
    assert least > 5 * parameters("CostSpike")["cost_min_usd"]


def test_the_thorough_agent_writes_enough_for_a_percentile() -> None:
    assert parameters("AuditWriteLatency")["ack_min_writes"] <= thorough.HURRIED


def test_the_support_agent_reads_what_is_too_old_often_enough() -> None:
    """A share of every ten retrievals, from the tenth on; a ticket takes seven seconds at most."""
    limits = parameters("RetrievalTrust")
    for number in range(limits["trust_min_retrievals"], 100):
        ages = [support.AGES_SECONDS[done % len(support.AGES_SECONDS)] for done in range(number)]
        assert sum(age > support.MAX_AGE_SECONDS for age in ages) / number > limits["trust_stale_rate"]
    [row] = [row for row in EXPECTATIONS if row.alert == "RetrievalTrust"]
    assert limits["trust_min_retrievals"] * 7 <= row.after_seconds


def test_the_support_agent_is_attacked_early() -> None:
    assert operations.FIRST_ATTACK < operations.ATTACK_EVERY
    [row] = [row for row in EXPECTATIONS if row.alert == "SecurityEvent"]
    assert row.after_seconds >= (operations.FIRST_ATTACK + 1) * 7


def test_the_failing_agent_gives_up_early() -> None:
    """In all but one of five hundred demos: a list has three calls, each made again once, and takes four seconds at most on the average."""
    gives_up = 1 - (1 - failing.TOOL_FAILS**2) ** 2 * (1 - failing.MODEL_FAILS**2)
    [row] = [row for row in EXPECTATIONS if row.alert == "DeadLetter"]
    assert (1 - gives_up) ** (row.after_seconds / 4) < 2e-3


def test_the_support_agent_leaves_out_an_approval_early() -> None:
    """Its first three tickets are refunds, and the second has none."""
    assert [number for number in range(1, 4) if number % support.UNAPPROVED_EVERY == 2] == [2]
