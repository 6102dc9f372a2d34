"""The predefined SLOs over a lake: what is good, what is bad, and who is told."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

import alerts
from alerts.binding import expression_check
from alerts.rules import LoadedRule
from alerts.samples import read_samples
from alerts.slo.counting import SHARED_HOURS, Counter
from alerts.slo.counts import Tally
from alerts.slo.keeping import Forgotten
from alerts.slo.objectives import LoadedObjective, load_objectives
from alerts.slo.rules import objective_groups
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake, unix_ns
from tests.alerts.slo.events import as_it_is
from tests.command_line import invoked

ROOT = Path(alerts.__file__).parent.parent
PACK = ROOT / "alerts/packs/slos.yaml"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OF_SUPPORT = (("agent_name", "support"), ("environment", "prod"), ("tenant", "acme"))
NAMES = ["audit-write-loss", "audit-write-gap", "audit-write-latency", "availability", "latency", "quality", "cost"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty runs of the last half hour, of which twenty failed; calls, evaluations and audit writes, of which some are bad."""
    agents = AgentLake(tmp_path_factory.mktemp("lake"))
    for number in range(40):
        ago, run = 29 * MINUTE - number * timedelta(seconds=40), f"run-{number}"
        agents.span("agent", ago, run=run, error=number % 2 == 0)
        agents.cost(ago, 2.0 if number == 7 else 0.1, run=run, parent_span_id="f" * 16)
        agents.event("gen_ai.evaluation.result", ago, run=run, step_kind="eval", eval_name="helpful", eval_passed=number > 2)
    ended = unix_ns(NOW - timedelta(seconds=30))
    agents.cost(2 * MINUTE, 0.1, run="run-1", parent_span_id="f" * 16, end_ns=ended, end_time=ended // 1000)
    agents.acks(3 * MINUTE, {1.0: 900, 5.0: 90, 10.0: 10})
    agents.acks(3 * MINUTE, {100.0: 1000}, kind="bulk")
    return agents.seal().data


def tallies(data: Path, name: str) -> Mapping[object, Tally]:
    [slo] = [one for one in load_objectives([PACK]) if one.name == name]
    counter = Counter(slo, Forgotten(), reach=3 * HOUR, hours_at_once=SHARED_HOURS)
    with Lake.open(data, threads=1, clock=lambda: int(NOW.timestamp() * 1e9)) as reader:
        for _ in counter.steps(reader, NOW, clean=as_it_is, timeout_seconds=60):
            pass
    return counter.counts.sums(NOW - DAY, NOW)


def test_the_pack_passes_its_own_check_and_has_its_objectives() -> None:
    with expression_check() as check:
        found = load_objectives([PACK], check_sql=check)
    assert [one.name for one in found] == NAMES
    assert {one.name for one in found if one.budget == 0} == {"audit-write-loss", "audit-write-gap"}


def rules() -> list[LoadedRule]:
    return [rule for group in objective_groups([PACK]) for rule in group.rules]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.name} {rule.labels['urgency']}")
def test_every_alert_has_a_severity_and_a_runbook(rule: LoadedRule) -> None:
    assert rule.labels["severity"] == ("critical" if rule.labels["urgency"] == "page" else "warning")
    assert (ROOT / rule.rule.annotations["runbook"]).exists()
    assert {"summary", "description"} <= rule.rule.annotations.keys()


def test_docs_name_every_objective_and_alert() -> None:
    text = (ROOT / "docs/slo.md").read_text()
    slos: list[LoadedObjective] = list(load_objectives([PACK]))
    assert [name for one in slos for name in (one.name, one.alertname) if f"`{name}`" not in text] == []


def test_availability_is_of_runs_that_end_well(lake: Path) -> None:
    assert tallies(lake, "availability") == {OF_SUPPORT: Tally(20, 40)}


def test_latency_is_of_model_calls(lake: Path) -> None:
    assert tallies(lake, "latency")[OF_SUPPORT].bad == 1


def test_quality_is_of_evaluations_with_a_verdict(lake: Path) -> None:
    assert tallies(lake, "quality") == {OF_SUPPORT: Tally(3, 40)}


def test_a_score_and_its_threshold_are_a_verdict(tmp_path: Path) -> None:
    agents = AgentLake(tmp_path)
    for score, threshold in ((0.5, 0.7), (0.7, 0.7), (0.1, None)):
        agents.event("gen_ai.evaluation.result", MINUTE, step_kind="eval", eval_name="tone", eval_score=score, eval_threshold=threshold)
    assert tallies(agents.seal().data, "quality") == {OF_SUPPORT: Tally(1, 2)}


def test_cost_is_of_runs_whose_cost_is_known(lake: Path) -> None:
    assert tallies(lake, "cost") == {OF_SUPPORT: Tally(1, 40)}


def test_audit_writes_are_those_of_the_class_audit(lake: Path) -> None:
    assert tallies(lake, "audit-write-latency") == {(): Tally(10, 1000)}


def test_requests_that_could_not_be_stored_are_bad_writes(tmp_path: Path) -> None:
    """Nobody acknowledged them; a request with a wrong token is no write."""
    agents = AgentLake(tmp_path)
    agents.acks(3 * MINUTE, {1.0: 10})
    for reason in ("unavailable", "overloaded", "unauthenticated"):
        agents.acks(3 * MINUTE, {1.0: 1})
        row = agents.tables["metrics"].pop()
        other = {"type": "sum", "unit": "1", "value": 4.0, "attributes": [("reason", reason)]}
        absent = dict.fromkeys(("count", "max", "bucket_bounds", "bucket_counts"))
        agents.tables["metrics"].append({**row, **absent, **other, "metric_name": "auditlake.requests.refused"})
    assert tallies(agents.seal().data, "audit-write-latency") == {(): Tally(8, 18)}


def test_a_gap_in_the_ledger_pages_at_once(tmp_path: Path) -> None:
    agents = AgentLake(tmp_path)
    agents.acks(HOUR, {1.0: 1})
    agents.seal()
    agents.entry += 2
    agents.acks(HOUR, {1.0: 1})
    data = agents.seal().data
    [page] = [rule for rule in rules() if rule.name == "AuditWriteGap"]
    at = NOW + timedelta(seconds=1)
    with Lake.open(data, threads=1) as reader:
        [sample] = read_samples(page, reader, eval_ts=at, clean=as_it_is)
    assert sample.value == 2
    assert sample.labels["severity"] == "critical"
    assert "in the last hour: 2" in sample.annotations["summary"]


def test_a_gap_counts_however_long_ago_the_entry_before_it_was_sealed(tmp_path: Path) -> None:
    agents = AgentLake(tmp_path)
    agents.seal(ago=40 * DAY)
    agents.entry += 2
    agents.seal(ago=20 * MINUTE)
    data = agents.seal(ago=MINUTE).data
    assert tallies(data, "audit-write-gap") == {(): Tally(2, 2)}


def test_a_bad_half_hour_pages_for_the_agent(lake: Path) -> None:
    [page] = [rule for rule in rules() if rule.name == "AgentAvailability" and rule.labels["urgency"] == "page"]
    with Lake.open(lake, threads=1, clock=lambda: int(NOW.timestamp() * 1e9)) as reader:
        [sample] = read_samples(page, reader, eval_ts=NOW, clean=as_it_is)
    assert sample.value == pytest.approx(50)
    assert {"slo": "availability", "agent_name": "support", "severity": "critical"}.items() <= sample.labels.items()
    assert sample.annotations["summary"] == "availability of support spends its error budget 50 times as fast as it may"
    assert sample.annotations["description"].startswith("A whole budget of 30 days lasts 14h24m at this rate.")


def test_the_command_shows_objectives_and_exits_with_1_when_a_budget_is_spent(lake: Path, tmp_path: Path) -> None:
    words = ("slo", str(PACK), "--data", str(lake), "--at", (NOW + MINUTE).isoformat())
    shown = invoked(tmp_path, *words, "--slo", "quality")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split("\n")[1].split()[:7] == ["quality", "support", "prod", "acme", "spent", "95%", "92.5%"]
    checked = invoked(tmp_path, *words, "--check", "--format", "json")
    states = {row["slo"]: row["state"] for row in json.loads(checked.stdout)}
    assert states["availability"] == states["cost"] == "spent"
    assert states["audit-write-gap"] == "ok"
    assert (checked.returncode, "the error budget is spent: audit-write-latency, availability" in checked.stderr) == (1, True)
    assert invoked(tmp_path, *words, "--check", "--slo", "audit-write-gap").returncode == 0


def test_the_command_shows_budgets_day_by_day(lake: Path, tmp_path: Path) -> None:
    words = (
        "slo",
        str(PACK),
        "--data",
        str(lake),
        "--at",
        (NOW + MINUTE).isoformat(),
        "--slo",
        "quality",
        "--history",
        "2",
        "--format",
        "json",
    )
    rows = json.loads(invoked(tmp_path, *words).stdout)
    assert [(row["day"], row["bad"], row["total"], row["budget_left"]) for row in rows] == [("2026-11-21", 3, 40, -0.5)]


def test_a_name_that_no_slo_has_is_an_error(lake: Path, tmp_path: Path) -> None:
    refused = invoked(tmp_path, "slo", str(PACK), "--data", str(lake), "--slo", "nothing")
    assert (refused.returncode, "there is no SLO nothing" in refused.stderr) == (2, True)
