"""An alert that begins to fire says who contributes, what was usual, where to look and how bad it is; and only then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from alerts import enrichment
from alerts.enrichment import BUDGET_SECONDS, PERIOD_SECONDS, Enricher, Facts, impacts, scored
from alerts.evaluate import Sample, State, Step, Waits, step
from alerts.folding import OTHER
from storage.lake import Lake
from tests.alerts.agent_lake import NOW, AgentLake
from tests.alerts.fakes import FakeLake, as_it_is

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LABELS = {"alertname": "HighErrorRate", "agent_name": "support", "severity": "critical"}

NOTHING = dict.fromkeys(("calls", "failed", "cost_usd", "runs", "users", "violations", "every_run", "every_user", "every_cost_usd"), 0)

enriched = partial(enrichment.enriched, timeout_seconds=60)  # on a machine that is busy


def firing(labels: Mapping[str, str] = LABELS, annotations: Mapping[str, str] = {}) -> Step:
    """What a rule without `for` makes of a row."""
    return step({}, [Sample(labels=labels, value=0.4, annotations={"summary": "s", **annotations})], Waits(), at=NOW)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Support: two runs of two users, one with failures, and one quiet call a day before; beside it, a run of another agent."""
    agents = AgentLake(tmp_path_factory.mktemp("lake"))
    for number in range(4):
        agents.tool(number * MINUTE, run="run-bad", error=True, tool_name="refund", actor="u1")
    agents.tool(MINUTE, run="run-good", tool_name="lookup", actor="u2")
    agents.cost(2 * MINUTE, 3.0, run="run-good", model="gpt-5", actor="u2")
    agents.tool(DAY + MINUTE, run="run-old", tool_name="refund")
    agents.agent = "billing"
    agents.cost(MINUTE, 1.0, run="run-other", model="gpt-5", actor="u3")
    with Lake.open(agents.seal().data, threads=1) as opened:
        yield opened


def annotations_of(result: Step, lake: Lake, clean: object = as_it_is) -> Mapping[str, str]:
    told = enriched(result, lake, eval_ts=NOW, lookback=15 * MINUTE, clean=clean, external_url="http://lake.test/")  # type: ignore[arg-type]
    [transition] = told.transitions
    [alert] = told.alerts.values()
    assert transition.alert.annotations == alert.annotations, "what is stored is what is told"
    return alert.annotations


def test_the_contributors_with_most_failures_come_first(lake: Lake) -> None:
    told = annotations_of(firing(), lake)
    assert told["top_contributors"] == ("refund: 4 of 4 calls failed; gpt-5: 0 of 1 calls failed, $3.00; lookup: 0 of 1 calls failed")


def test_the_baseline_is_the_same_time_a_day_before(lake: Lake) -> None:
    assert annotations_of(firing(), lake)["baseline"] == "4 of 6 calls failed, $3.00 in 15 minutes, a day before 0 of 1 calls failed"


def test_example_runs_are_deep_links_and_the_worst_is_the_first(lake: Lake) -> None:
    assert annotations_of(firing(), lake)["example_runs"] == "http://lake.test/run?run=run-bad http://lake.test/run?run=run-good"


def test_the_severity_score_weighs_four_kinds_of_impact(lake: Lake) -> None:
    """Two of three runs, three of four dollars, two of three users, four of six calls, no violation."""
    told = annotations_of(firing(), lake)["severity_score"]
    assert told == "0.59 medium (business 0.75, user 0.67, system 0.67, safety 0.00)"


def test_a_rule_that_knows_better_states_an_impact(lake: Lake) -> None:
    told = annotations_of(firing(annotations={"impact_safety": "1", "impact_user": "much"}), lake)
    assert told["severity_score"] == "0.74 high (business 0.75, user 0.67, system 0.67, safety 1.00)"


def test_the_rules_own_annotations_stay(lake: Lake) -> None:
    assert annotations_of(firing(), lake)["summary"] == "s"


def test_names_are_cleaned(lake: Lake) -> None:
    def clean(items: Sequence[tuple[str, str | None]]) -> list[str]:
        return [f"<{name}>" for _, name in items]

    told = annotations_of(firing(), lake, clean)
    assert told["example_runs"] == "http://lake.test/run?run=%3Crun_id%3E http://lake.test/run?run=%3Crun_id%3E"
    assert told["top_contributors"].startswith("<tool_name>: 4 of 4")


def test_an_alert_about_no_agent_is_about_everything(lake: Lake) -> None:
    told = annotations_of(firing({"alertname": "PipelineStale"}), lake)
    assert told["severity_score"].endswith("(business 1.00, user 1.00, system 0.57, safety 0.00)")


def test_only_the_beginning_is_asked_about() -> None:
    """Later evaluations and the end cost nothing, and what was found stays."""
    fake = FakeLake()
    begun = firing()
    [alert] = begun.alerts.values()
    known = {alert.fingerprint: replace(alert, annotations={**alert.annotations, "baseline": "b", "severity_score": "0.10 low"})}
    on = step(known, [Sample(labels=LABELS, value=0.5, annotations={"summary": "more"})], Waits(), at=NOW + MINUTE)
    over = step(on.alerts, [], Waits(), at=NOW + 2 * MINUTE)
    for result in (on, over):
        assert enriched(result, fake, eval_ts=NOW, lookback=None, clean=as_it_is, external_url="") is result
    [after] = over.alerts.values()
    assert after.annotations == {"summary": "more", "baseline": "b", "severity_score": "0.10 low"}
    assert fake.asked == []


def test_a_lake_that_does_not_answer_keeps_no_alert_from_firing() -> None:
    fake = FakeLake()
    fake.error = "stopped after 2 s"
    told = enriched(firing(), fake, eval_ts=NOW, lookback=None, clean=as_it_is, external_url="")
    [alert] = told.alerts.values()
    assert (alert.state, alert.annotations) == (State.FIRING, {"summary": "s"})


def test_of_a_storm_the_first_are_enriched(lake: Lake) -> None:
    storm = step({}, [Sample(labels={**LABELS, "n": f"{number}"}, value=1, annotations={}) for number in range(8)], Waits(), at=NOW)
    told = enriched(storm, lake, eval_ts=NOW, lookback=15 * MINUTE, clean=as_it_is, external_url="")
    assert sorted("baseline" in alert.annotations for alert in told.alerts.values()) == [False] * 3 + [True] * 5


def test_a_storm_of_rules_has_a_budget_of_time() -> None:
    """Beyond it alerts are told as they are; the next period begins anew."""
    fake = FakeLake()
    fake.rows = [{"what": "all", "name": "", **NOTHING}]
    times = iter([0.0, BUDGET_SECONDS, BUDGET_SECONDS, PERIOD_SECONDS, PERIOD_SECONDS + 1.0])
    enrich = Enricher(clean=as_it_is, external_url="", clock=lambda: next(times))
    found = [enrich(firing(), fake, eval_ts=NOW, lookback=None) for _ in range(3)]
    told = ["severity_score" in next(iter(result.alerts.values())).annotations for result in found]
    assert told == [True, False, True]


@pytest.mark.parametrize(
    ("impact", "said"),
    [
        ((1, 1, 1, 1), "1.00 critical"), ((1, 1, 1, 0), "0.85 critical"), ((1, 1, 0, 0), "0.60 high"), ((0, 0, 1, 1), "0.40 medium"),
        ((1, 0, 0, 0), "0.30 low"),
    ],
)  # fmt: skip
def test_the_levels_of_the_score(impact: tuple[float, ...], said: str) -> None:
    assert scored(dict(zip(("business", "user", "system", "safety"), impact, strict=True))).startswith(said)


def test_where_nothing_is_called_any_more_the_whole_system_is_hit() -> None:
    [alert] = firing().alerts.values()
    found = impacts(alert, Facts(totals=NOTHING, contributors=(), runs=()))
    assert found == {"business": 0.0, "user": 0.0, "system": 1.0, "safety": 0.0}


def test_staging_counts_half_for_the_business() -> None:
    totals = {"calls": 1, "failed": 0, "cost_usd": None, "runs": 4, "users": 0, "violations": 2, "every_run": 4, "every_user": 0}
    [alert] = firing({**LABELS, "environment": "Staging"}).alerts.values()
    found = impacts(alert, Facts(totals={**totals, "every_cost_usd": None}, contributors=(), runs=()))
    assert found == {"business": 0.5, "user": 0.0, "system": 0.0, "safety": 1.0}


def test_a_label_that_stands_for_several_is_about_all_of_them() -> None:
    """`(other)` is no agent's name (`alerts.folding`)."""
    fake = FakeLake()
    fake.rows = [{"what": "all", "name": "", **NOTHING}]
    enriched(firing({**LABELS, "agent_name": OTHER}), fake, eval_ts=NOW, lookback=None, clean=as_it_is, external_url="")
    assert fake.asked[0]["agent_name"] is None
