"""What the controls find: one lake of many small runs, each named after what happened in it, asked once."""

from collections.abc import Callable, Iterator

import pytest

from storage.controls import ControlResult, evaluate
from storage.controls.control import BUILT_IN
from storage.lake import Lake
from tests.lake_builder import START_NS, event, span, write_lake
from tests.storage.controls.stories import stories

NOW_NS = START_NS + 86_400 * 1_000_000_000
OWNERLESS = ({}, {"auditlake.rollout.owner": " "})
GATEKEEPER = ("policy_before_side_effect", "approval_before_execution", "approval_by_another", "denied_not_executed")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data = tmp_path_factory.mktemp("controls")
    runs = list(stories())
    rollouts = [
        event("rollout", run=None, attributes={"auditlake.rollout.stage": "canary", "auditlake.rollout.owner": owner}) for owner in ("t",)
    ]
    rollouts += [
        event("rollout", run=None, at=at, attributes={"auditlake.rollout.stage": "full"} | owner) for at, owner in enumerate(OWNERLESS)
    ]
    threat = {"auditlake.security.category": "injection", "auditlake.security.threat_level": "high"}
    threats = [
        event("security", run=run, trace=run, attributes=threat, outcome=outcome)
        for run, outcome in (("stopped", "blocked"), ("let through", "success"), ("noted", None))
    ]
    other = {"release": "1.0", "tenant": "acme"}
    evaluated = [event("gen_ai.evaluation.result", run="evaluated", trace="evaluated", step_kind="eval", eval_name="e", **other)]
    spans = [row for run in runs for row in run.spans] + [span("root", run="evaluated", trace="evaluated", step_kind="run", **other)]
    write_lake(data, spans=spans, events=[*(row for run in runs for row in run.events), *rollouts, *threats, *evaluated])
    with Lake.open(data, clock=lambda: NOW_NS) as opened:
        yield opened


@pytest.fixture(scope="module")
def results(lake: Lake) -> dict[str, ControlResult]:
    return {result.name: result for result in evaluate(lake, evidence_limit=1000)}


@pytest.fixture(scope="module")
def problem(results: dict[str, ControlResult]) -> Callable[[str, str], str | None]:
    """What a control says of a run."""

    def of(control: str, run: str) -> str | None:
        found = [row["problem"] for row in results[control].evidence if row["run_id"] == run]
        return found[0] if found else None

    return of


Problem = Callable[[str, str], str | None]


@pytest.mark.parametrize(
    "run",
    [
        "good", "by call id", "by tool name", "decided long before, then allowed again", "denied then granted", "not expired",
        "expires with an offset", "outcome told after", "a read", "exact action", "guardrail", "claude code", "granted in other words",
        "two calls, one approval",
    ],
)  # fmt: skip
def test_what_was_authorized_passes(problem: Problem, run: str) -> None:
    assert {control: problem(control, run) for control in GATEKEEPER} == dict.fromkeys(GATEKEEPER)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("no decision", "no policy decision"), ("denied", "denied it"), ("blocked", "denied it"), ("allowed then denied", "denied it"),
        ("undecided", "no policy decision"), ("doubted", "did not allow it: flag"),
        ("decided after", "no policy decision"), ("stale decision", "61 minutes old"),
        ("decision on another action", "no policy decision"), ("decision on another call", "no policy decision"),
        ("decision of another tool with this action", "no policy decision"), ("decision on another object", "no policy decision"),
        ("the thief", "no policy decision"), ("refused in other words", "denied it"),
        ("side effect in other words", "no policy decision"), ("side effect kept back", "no policy decision"),
    ],
)  # fmt: skip
def test_a_side_effect_without_a_decision_that_allows_it_fails(problem: Problem, run: str, says: str) -> None:
    """A decision on something else, of another run, too old, or after the fact is none."""
    assert says in str(problem("policy_before_side_effect", run))


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("no approval", "no approval"), ("asked only", "not given"), ("asked again", "not given"), ("refused", "denied"),
        ("granted then refused", "denied"), ("void", "expired"), ("expired", "expired at 2026-11-21 12:01:39"),
        ("granted after", "no approval"), ("expiry in no known form", "no time that can be read"), ("rubber-stamped", "only after it ran"),
        ("approval of another action", "no approval"), ("approval of another call", "no approval"),
        ("approval of another object", "no approval"), ("asked for, though not required", "not given"), ("the thief", "no approval"),
    ],
)  # fmt: skip
def test_a_call_without_a_valid_approval_fails(problem: Problem, run: str, says: str) -> None:
    assert says in str(problem("approval_before_execution", run))
    assert problem("policy_before_side_effect", run) is None or run == "the thief"


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("self", "actor"), ("agent", "agent"), ("agent id", "agent"), ("nobody", "not recorded"), ("withheld approver", "not recorded"),
        ("self in other signs", "actor"), ("self by address", "actor"), ("agent in other signs", "agent"),
    ],
)  # fmt: skip
def test_who_acts_does_not_approve(problem: Problem, run: str, says: str) -> None:
    assert says in str(problem("approval_by_another", run))
    assert problem("approval_before_execution", run) is None


def test_no_denied_action_runs(results: dict[str, ControlResult]) -> None:
    """Whoever denied it; what was denied and did not run is as it must be."""
    found = {row["run_id"] for row in results["denied_not_executed"].evidence}
    assert found == {
        "denied",
        "blocked",
        "allowed then denied",
        "refused",
        "granted then refused",
        "void",
        "run by codex",
        "refused in other words",
    }


def test_evidence_names_the_records(results: dict[str, ControlResult], lake: Lake) -> None:
    """The offending call and the decision that it was held against, both to be found in the lake."""
    row = next(row for row in results["denied_not_executed"].evidence if row["run_id"] == "denied")
    kinds = lake.sql("SELECT record_id, kind FROM steps").to_pylist()
    assert {each["kind"] for each in kinds if each["record_id"] in {row["record_id"], row["policy_record_id"]}} == {"tool", "policy"}
    assert str(row["time"]) == "2026-11-21 12:01:40"


@pytest.mark.parametrize(
    ("control", "failing"),
    [
        ("retries_idempotent", {"retried", "retried with a blank"}),
        (
            "side_effect_declared",
            {"unclassified", "refused by codex", "run by codex", "side effect in other words", "side effect kept back"},
        ),
        ("runs_end", {"abandoned"}),
        ("records_complete", {"with a gap", "with an orphan"}),
        ("model_version_recorded", {"not answered", "an alias"}),
        ("memory_retention", {"remembers for ever", "remembers for a blank", "remembers ids"}),
        ("denied_sources_unread", {"let in", "let in in other words"}),
        ("changes_owned", {None}),
        ("audit_actions_whole", {"audited by halves"}),
        ("threats_answered", {"let through", "noted"}),
        ("nothing_withheld", {"withheld"}),
        ("clocks_agree", {"absurd clock", "backwards", "from the future"}),
    ],
)
def test_a_control_fails_where_it_must_and_nowhere_else(results: dict[str, ControlResult], control: str, failing: set[str | None]) -> None:
    result = results[control]
    assert {row["run_id"] for row in result.evidence} == failing
    assert (result.state, result.passed) == ("fail", False)
    assert result.checked > result.failed == len(result.evidence)


def test_a_change_whose_owner_is_blank_has_none(results: dict[str, ControlResult]) -> None:
    assert results["changes_owned"].failed == len(OWNERLESS)


def test_a_release_without_an_evaluation_fails(results: dict[str, ControlResult]) -> None:
    assert [(row["release"], row["evals"]) for row in results["releases_evaluated"].evidence] == [("2.0", 0)]


def test_the_contract_control_names_what_is_missing(results: dict[str, ControlResult]) -> None:
    """One row a run, also of runs that lack little."""
    rows = {row["run_id"]: row for row in results["contract_complete"].evidence}
    assert rows["ended"]["problem"] == "not recorded: run: environment"
    assert "still going" not in rows


def test_every_built_in_control_says_what_it_is_for(results: dict[str, ControlResult]) -> None:
    assert tuple(results) == BUILT_IN
    for result in results.values():
        assert result.title[0].isupper()
        assert result.title[-1] != "."
        assert len(result.rationale) > 40
        assert result.reference


def test_runs_releases_tenants_and_times_narrow_the_question(lake: Lake) -> None:
    """A run's decisions are found wherever they stand; what is outside of the question is not counted."""
    (of_two,) = evaluate(lake, run_ids=["good", "denied"], names=["policy_before_side_effect"])
    assert (of_two.checked, of_two.failed) == (2, 1)
    (nothing,) = evaluate(lake, run_ids=[], names=["runs_end"])
    assert (nothing.checked, nothing.passed, nothing.state) == (0, True, "not applicable")
    (other,) = evaluate(lake, release="1.0", tenant="acme", names=["releases_evaluated"])
    assert (other.checked, other.failed) == (1, 0)
    (foreign,) = evaluate(lake, tenant="globex", names=["policy_before_side_effect"])
    assert foreign.state == "not applicable"


def test_evidence_is_the_newest_and_the_count_is_of_all(lake: Lake) -> None:
    (result,) = evaluate(lake, names=["clocks_agree"], evidence_limit=1)
    assert (result.failed, len(result.evidence)) == (3, 1)
    (none,) = evaluate(lake, names=["clocks_agree"], evidence_limit=0)
    assert (none.failed, none.evidence) == (3, ())
