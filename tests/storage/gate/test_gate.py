"""The gate on a lake: it opens for a release that is as good, closes for one that is not, and for everything that it cannot know."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cli.options import plain
from storage.controls import built_in
from storage.errors import StorageError
from storage.gate import Question, Scope, Thresholds, Verdict, document, judge, load, markdown
from storage.gate.obligations import check_contract
from storage.gate.reading import ReleaseData, read_releases
from storage.gate.thresholds import SAFETY
from storage.gate.verdict import decide
from storage.lake import Lake
from tests.lake_builder import event, span, write_lake
from tests.lake_checks import check_lake
from tests.storage.gate.lakes import Release, release_lake, rollout

ANNOUNCED = {
    "stage": "canary",
    "owner": "team-support",
    "rollback_owner": "sre-oncall",
    "commit": "9f2c1d7",
    "dataset_version": "2026-11-18",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Releases 1 and 2 alike, 3 worse, 4 and 5 of the same tasks where 5 is slower, 6 without tools, policies or evaluations."""
    folder = tmp_path_factory.mktemp("gate") / "lake"
    releases = [
        Release(name="1"), Release(name="2"),
        Release(name="3", success=0.75, seconds=7, cost=0.05, tool_errors=0.3, denials=0.4, score=0.6),
        Release(name="4", tasks=True, runs=70), Release(name="5", tasks=True, runs=60, seconds=5),
    ]  # fmt: skip
    bare = [
        span("work", run=f"6-{number}", trace=f"t6-{number}", id=f"6-{number}", step_kind="agent", status_code=1, at=number, release="6")
        for number in range(120)
    ]
    release_lake(folder, *releases, events=(rollout("2", at=1, **ANNOUNCED), rollout("2", at=9, stage="full", owner=" ")))
    write_lake(folder, spans=bare)
    yield folder
    check_lake(folder)


@pytest.fixture(scope="module")
def read(data: Path) -> dict[str, ReleaseData]:
    """What the lake has of every release, of another that it does not know too."""
    with Lake.open(data) as lake:
        return read_releases(lake, [str(number) for number in (1, 2, 3, 4, 5, 6, 9)], Scope(), gaps=False)


def question(release: str, baseline: str | None = None, **more: Any) -> Question:
    rules = more.pop("thresholds", {})
    checks = {"contract_gap_rate": False, **rules.pop("checks", {})}
    return Question(release=release, baseline=baseline, thresholds=Thresholds(**{"controls": "none", "checks": checks, **rules}), **more)


def ask(read: dict[str, ReleaseData], release: str, baseline: str | None = None, **more: Any) -> Verdict:
    return decide(question(release, baseline, **more), read[release], read.get(baseline or ""))


def of_lake(data: Path, release: str, baseline: str | None = None, **more: Any) -> Verdict:
    with Lake.open(data) as lake:
        return judge(lake, question(release, baseline, **more))


def states(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.state for check in verdict.checks}


def test_a_release_that_is_as_good_goes_on(data: Path) -> None:
    """With all that a gate looks at: comparisons, controls, announcements."""
    with Lake.open(data) as lake:
        verdict = judge(lake, Question(release="2", baseline="1"))
    assert verdict.reasons == ()
    assert set(states(verdict).values()) == {"passed"}
    assert {"eval:helpfulness", "contract_gap_rate"} <= states(verdict).keys()
    assert (verdict.comparisons, verdict.level) == (9, 0.05 / 9)
    assert {control.name for control in verdict.controls} == set(SAFETY)
    _says_who_what_and_what_nobody_said(plain(document(verdict)))


def _says_who_what_and_what_nobody_said(found: Any) -> None:
    told = {name: fact["value"] for name, fact in found["facts"].items()}
    assert told == {
        **ANNOUNCED, "stage": "full", "model": "gpt-5", "prompt_version": "7", "policy_version": "2026-11", "tool_schema_version": None,
        "change": None,
    }  # fmt: skip
    assert found["facts"]["commit"]["source"].startswith("rollout event ")
    assert found["facts"]["model"] == {"value": "gpt-5", "source": "runs", "observed": [{"value": "gpt-5", "runs": 120}]}
    text = markdown(found)
    assert "| tool-schema version | unknown | unknown |" in text
    assert "| owner | team-support | rollout event " in text
    for check in found["checks"]:
        assert f"| {check['name']} | passed |" in text


def test_a_release_that_is_worse_is_stopped_for_each_harm(read: dict[str, ReleaseData]) -> None:
    verdict = ask(read, "3", "1")
    assert not verdict.open
    failed = {name for name, state in states(verdict).items() if state == "failed"}
    assert failed == {
        "success_rate", "latency_p50_ms", "latency_p95_ms", "cost_usd", "tool_error_rate", "policy_denial_rate", "eval:helpfulness",
    }  # fmt: skip
    assert len(verdict.reasons) == len(failed)


def test_better_is_never_a_reason(read: dict[str, ReleaseData]) -> None:
    assert ask(read, "1", "3").open


def test_shadow_pairs_are_made_by_task_and_said(read: dict[str, ReleaseData]) -> None:
    verdict = ask(read, "5", "4", shadow=True)
    assert verdict.pairs is not None
    assert (verdict.pairs.key, len(verdict.pairs.ids), verdict.pairs.unpaired) == ("task", 60, (0, 10))
    assert all(one.partition("-")[2] == other.partition("-")[2] for one, other in verdict.pairs.ids)
    assert states(verdict)["latency_p50_ms"] == "failed"
    assert states(verdict)["cost_usd"] == "passed"
    assert states(ask(read, "5", "4"))["latency_p50_ms"] == "passed"  # too few runs to see it without pairs


def test_no_pair_is_not_enough_data(read: dict[str, ReleaseData]) -> None:
    verdict = ask(read, "5", "4", shadow=True, pair_by="session")
    assert states(verdict)["success_rate"] == "not enough data"
    assert not verdict.open


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"release": "9", "baseline": "1"}, "the release 9 is unknown"),
        ({"release": "1", "baseline": "9"}, "the baseline 9 is unknown"),
        ({"release": "9"}, "the release 9 is unknown"),
        ({"release": "2", "baseline": "1", "thresholds": {"min_samples": 500}}, "not enough data: the release has 120 of 500"),
        ({"release": "6", "baseline": "1"}, "tool_error_rate: not enough data: the release has 0 of 30"),
        ({"release": "1", "baseline": "6"}, "cost_usd: not enough data: the baseline has 0 of 30"),
        ({"release": "2", "thresholds": {"checks": {"eval:toxicity": {"max": 0.1}}}}, "eval:toxicity.limit: not enough data"),
        ({"release": "2", "baseline": "1", "thresholds": {"checks": {"eval:toxicity": {"required": True}}}}, "eval:toxicity: not enough"),
        ({"release": "6", "thresholds": {"checks": {"eval": {"min": 0.5}}}}, "eval: not enough data: there is no evaluation"),
        ({"release": "2", "thresholds": {"checks": {"success_rate": {"min": 0.999}}}}, "success_rate.limit: failed"),
        ({"release": "6", "thresholds": {"checks": {"success_rate": False, "tokens": {"max": 5}}}}, "tokens.limit: not enough data"),
        ({"release": "6", "thresholds": {"checks": {"success_rate": False}}}, "there is no check"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_cannot_be_known_closes_the_gate(read: dict[str, ReleaseData], asked: dict[str, Any], reason: str) -> None:
    verdict = ask(read, **asked)
    assert not verdict.open
    assert any(reason in each for each in verdict.reasons), verdict.reasons


def test_a_scope_without_runs_closes_the_gate(data: Path) -> None:
    with Lake.open(data) as lake:
        found = read_releases(lake, ["1", "2"], Scope(since=datetime(2026, 11, 21), agent="nobody"), gaps=False)  # noqa: DTZ001
    assert ask(found, "2", "1").reasons == (
        "the release 2 has no run in the scope that was asked for",
        "the baseline 1 has no run in the scope that was asked for",
    )


def test_what_neither_release_does_is_not_measured_and_said(read: dict[str, ReleaseData]) -> None:
    verdict = ask(read, "6", "6")
    assert verdict.open
    assert ("tool_error_rate", "neither release has any") in verdict.not_measured
    assert ("contract_gap_rate", "left out by the thresholds") in verdict.not_measured


def test_without_a_baseline_limits_decide(read: dict[str, ReleaseData]) -> None:
    verdict = ask(read, "2")
    assert states(verdict) == {"success_rate.limit": "passed", "tool_error_rate.limit": "passed"}
    assert {measure.name for measure, _ in verdict.observed} >= {"latency_p50_ms", "cost_usd", "eval:helpfulness"}
    assert not ask(read, "3").open


def test_the_contract_and_the_controls_bind_every_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("name: budget\nlimits: {cost_usd: 0.0001}\n")
    rules = {"contract_runs": 3, "controls": ["side_effect_declared"]}
    verdict = of_lake(data, "2", contract=tmp_path / "short.yaml", thresholds=rules)
    assert verdict.contract is not None
    assert (verdict.contract.passed, verdict.contract.checked, verdict.contract.runs) == (False, 3, 120)
    assert all(each["requirements"] for each in verdict.contract.short)
    assert verdict.reasons == (
        "contract short.yaml: 3 of 3 checked runs are short of it", "control side_effect_declared: 240 of 240 failed",
    )  # fmt: skip


def test_a_contract_that_cannot_be_used_is_not_kept(data: Path, read: dict[str, ReleaseData]) -> None:
    with Lake.open(data) as lake:
        found = check_contract(lake, Path("/nowhere/contract.yaml"), read["2"], Thresholds())
    assert not found.passed
    assert found.reason.startswith("the contract cannot be used: ")


def test_a_damaged_file_closes_the_gate(tmp_path: Path) -> None:
    release_lake(tmp_path, Release(name="1", runs=40))
    (bad,) = write_lake(tmp_path, spans=[span("x", run="lost", trace="t9", release="1")])
    (tmp_path / bad.path).write_bytes(b"PAR1 not")
    assert any(bad.path in reason for reason in of_lake(tmp_path, "1").reasons)


def test_runs_that_go_on_are_left_out_and_counted(tmp_path: Path) -> None:
    release_lake(tmp_path, Release(name="1", runs=40))
    write_lake(tmp_path, events=[event("run.started", run="live", step_kind="run", release="1", at=3000)])
    with Lake.open(tmp_path, clock=lambda: (1_795_262_400 + 3100) * 1_000_000_000) as lake:
        found = document(judge(lake, question("1")))
    assert found["data"]["release"]["running"] == 1
    assert found["checks"][0]["release"]["samples"] == 40


def test_the_same_runs_and_question_give_the_same_bytes(data: Path, read: dict[str, ReleaseData]) -> None:
    with Lake.open(data) as lake:
        again = read_releases(lake, ["4", "5"], Scope(), gaps=False)
    first, second = (json.dumps(plain(document(ask(runs, "5", "4", shadow=True)))) for runs in (read, again))
    assert first == second


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alpha: 2", "alpha"), ("checks: {speed: {max: 1}}", "checks.speed"), ("checks: {success_rate: {maximum: 1}}", "maximum"),
        ("- 1", "must be a mapping"), ("x: " + "[" * 5000, "too deep"),
        ("checks:\n  success_rate: {min: 0.9, min: 0.1}", "line 2: checks.success_rate.min: stands twice"),
        ("checks: {success_rate: {tolerence: 1}}", "line 1: checks.success_rate.tolerence: unknown key 'tolerence': did you mean"),
        ("controls: [runs_ends]", "did you mean 'runs_end'"), ("alpha: 0.01\nalpha: 0.5", "stands twice"),
        ("a: [", "line 1: not valid YAML"), ("controls: [1, {}]", "controls"), ("checks: {cost_usd: {tolerance: -1}}", "tolerance"),
    ],
)  # fmt: skip
def test_thresholds_that_are_wrong_say_where(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "thresholds.yaml"
    path.write_text(text)
    with pytest.raises(StorageError, match=named):
        load(path)


def test_thresholds_say_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.yaml"
    path.write_text(
        "alpha: 0.01\nchecks:\n  cost_usd: false\n  success_rate: {tolerance: 0.005, min: 0.9}\n  eval:helpfulness: {required: true}\n"
    )
    found = load(path)
    assert (found.alpha, found.min_samples, found.evaluations) == (0.01, 30, ["helpfulness"])


def test_the_controls_of_a_gate_exist() -> None:
    assert set(SAFETY) <= {control.name for control in built_in()}
