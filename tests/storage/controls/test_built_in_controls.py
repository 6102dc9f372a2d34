"""What the controls find: one lake of many small runs, each named after what happened in it, asked once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from storage.controls import ControlResult, evaluate
from storage.controls.control import BUILT_IN
from storage.lake import Lake
from tests.lake_builder import START_NS, Row, event, model, span, write_lake

NOW_NS = START_NS + 86_400 * 1_000_000_000
GATEKEEPER = ("policy_before_side_effect", "approval_before_execution", "approval_by_another", "denied_not_executed")


@dataclass
class Story:
    """One run, step by step; times are seconds from its beginning."""

    run: str
    spans: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)

    def call(self, tool: str = "issue_refund", at: float = 100, **columns: Any) -> "Story":
        columns = {"side_effect": "external", "requires_approval": True} | columns
        self.spans.append(self._of(span(f"{tool}@{at}", at=at, step_kind="tool", tool_name=tool, **columns)))
        return self

    def policy(self, decision: str | None = "allow", at: float = 10, action: str | None = "issue_refund", **columns: Any) -> "Story":
        self.events.append(self._of(event("policy.decision", at=at, step_kind="policy", decision=decision, action=action, **columns)))
        return self

    def approval(self, state: str = "granted", at: float = 20, action: str | None = "issue_refund", **columns: Any) -> "Story":
        expires = columns.pop("expires", None)
        attributes = {} if expires is None else {"auditlake.approval.expires_at": expires}
        columns = {"approver": "lead-4" if state == "granted" else None} | columns
        row = event("approval", at=at, step_kind="approval", approval_state=state, action=action, attributes=attributes, **columns)
        self.events.append(self._of(row))
        return self

    def span(self, name: str, **columns: Any) -> "Story":
        self.spans.append(self._of(span(name, **columns)))
        return self

    def event(self, name: str, **columns: Any) -> "Story":
        self.events.append(self._of(event(name, **columns)))
        return self

    def model(self, name: str, **columns: Any) -> "Story":
        self.spans.append(self._of(model(name, **columns)))
        return self

    def _of(self, row: Row) -> Row:
        return row | {
            "run_id": self.run,
            "trace_id": self.run,
            "actor": "customer-9",
            "agent_id": "agent-1",
            "release": "2.0",
            "tenant": "acme",
        }


def stories() -> Iterator[Story]:
    """Every run of the lake."""
    yield Story("good").policy().approval("requested", at=15).approval().call()
    yield Story("by call id").policy(action=None, tool_call_id="c1").approval(action=None, tool_call_id="c1").call(tool_call_id="c1")
    yield Story("by tool name").policy(action=None, tool_name="issue_refund").approval(action="pay back", tool_name="issue_refund").call()
    yield Story("decided long before, then allowed again").policy(at=-9000).policy(at=90).approval().call()
    yield Story("denied then granted").policy("deny", at=5).policy(at=10).approval("denied", at=15).approval(at=20).call()
    yield Story("not expired").policy().approval(expires="2026-11-21T12:01:41Z").call()
    yield Story("expires with an offset").policy().approval(expires="2026-11-21T14:01:41+02:00").call()
    yield Story("a read").call("look_up", side_effect="read", requires_approval=None)
    yield Story("exact action").policy(action="refund order 81").approval(action="refund order 81").call(action="refund order 81")
    yield Story("guardrail").span("guard", at=10, step_kind="policy", decision="allowed", action="issue_refund").approval().call()
    yield (
        Story("claude code")
        .span("t", at=1, took=60, step_kind="tool", tool_name="Bash", side_effect="write", requires_approval=True)
        .policy(action=None, tool_name="Bash", at=9)
        .approval(action=None, tool_name="Bash", at=20)
        .span("claude_code.tool.execution", at=30, parent="t", step_kind="other")
    )

    yield Story("no decision").approval().call()
    yield Story("denied").policy("deny").approval().call()
    yield Story("blocked").policy("Blocked").approval().call()
    yield Story("allowed then denied").policy(at=5).policy("deny", at=10).approval().call()
    yield Story("undecided").policy(None).approval().call()
    yield Story("decided after").policy(at=101).approval().call()
    yield Story("stale decision").policy(at=-3600).approval().call()
    yield Story("decision on another action").policy(action="look_up").approval().call()
    yield Story("decision on another call").policy(tool_call_id="c1").approval().call(tool_call_id="c2")
    yield Story("decision of another tool with this action").policy(tool_name="look_up", action="issue_refund").approval().call()
    yield (
        Story("decision on another object")
        .policy(action="refund order 82")
        .approval(action="refund order 81")
        .call(action="refund order 81")
    )

    yield Story("no approval").policy().call()
    yield Story("asked only").policy().approval("requested").call()
    yield Story("asked again").policy().approval().approval("requested", at=50).call()
    yield Story("refused").policy().approval("denied").call()
    yield Story("granted then refused").policy().approval().approval("denied", at=50).call()
    yield Story("void").policy().approval().approval("expired", at=50).call()
    yield Story("expired").policy().approval(expires="2026-11-21T12:01:39Z").call()
    yield Story("granted after").policy().approval(at=100.5).call()
    yield Story("approval of another action").policy().approval(action="delete_account").call()
    yield Story("approval of another call").policy().approval(tool_call_id="c1").call(tool_call_id="c2")
    yield (
        Story("approval of another object")
        .policy(action="refund order 81")
        .approval(action="refund order 82")
        .call(action="refund order 81")
    )
    yield Story("asked for, though not required").policy().approval("requested").call(requires_approval=None)
    yield Story("self").policy().approval(approver="Customer-9").call()
    yield Story("agent").policy().approval(approver="support").call()
    yield Story("agent id").policy().approval(approver=" agent-1 ").call()
    yield Story("nobody").policy().approval(approver=None).call()
    yield Story("withheld approver").policy().approval(approver="<PERSON>").call()

    yield Story("refused and not run").policy("deny").approval("denied").call(error_type="PermissionDenied", status_code=2)
    yield Story("the grantor").policy().approval()
    yield Story("the thief").call()

    yield Story("retried with a key").call(
        "send", requires_approval=None, attributes={"auditlake.tool.idempotency_key": "k"}, retry_count=1
    )
    yield Story("retried").call("send", requires_approval=None, retry_count=1)
    yield Story("unclassified").call("send", requires_approval=None, side_effect=None)

    yield Story("ended").span("root", step_kind="run")
    yield Story("abandoned").event("run.started", step_kind="run")
    yield Story("still going").event("run.started", step_kind="run", at=86_000)
    yield Story("with a gap").span("root", step_kind="run", sequence=1, sequence_last=3)
    yield Story("with an orphan").span("root", step_kind="run").span("child", parent="gone")
    yield Story("answered").model("m", model="gpt-5-2026-01-02", model_requested="gpt-5")
    yield Story("not answered").model("m", model=None, model_requested="gpt-5")
    yield Story("an alias").model("m", model="mistral-large-latest")
    yield Story("failed call").model("m", model=None, model_requested="gpt-5", status_code=2)
    yield Story("remembers").span(
        "w", step_kind="memory", operation="update_memory", attributes={"auditlake.memory.retention_class": "session"}
    )
    yield Story("remembers for ever").span("w", step_kind="memory", operation="update_memory")
    yield Story("remembers ids").span("w", step_kind="memory", attributes={"auditlake.memory.write_ids": '["m-1"]'})
    yield Story("recalls").span("r", step_kind="memory", operation="search_memory")
    denied = {"auditlake.retrieval.access_decision": "deny"}
    yield Story("kept out").span("r", step_kind="retrieval", attributes=denied | {"auditlake.retrieval.source_ids": "[]"})
    yield Story("let in").span("r", step_kind="retrieval", attributes=denied | {"auditlake.retrieval.source_ids": '["doc-1"]'})
    yield Story("audited").event("agent_action", action="refund.issue", resource="order/81", outcome="success")
    yield Story("audited by halves").event("agent_action", action="refund.issue", resource="order/81")
    yield Story("withheld").span("s", redactions={"WITHHELD": 2, "EMAIL_ADDRESS": 1})
    yield Story("redacted").span("s", redactions={"EMAIL_ADDRESS": 1})
    yield Story("absurd clock").span("s", clock_flagged=True)
    yield Story("backwards").span("s", end_ns=START_NS - 1)
    yield Story("from the future").span("s", received_ns=START_NS - 400 * 1_000_000_000)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data = tmp_path_factory.mktemp("controls")
    runs = list(stories())
    rollouts = [
        event("rollout", run=None, attributes={"auditlake.rollout.stage": "canary", "auditlake.rollout.owner": owner}) for owner in ("t",)
    ]
    rollouts.append(event("rollout", run=None, attributes={"auditlake.rollout.stage": "full"}))
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
        "expires with an offset", "a read", "exact action", "guardrail", "claude code",
    ],
)  # fmt: skip
def test_what_was_authorized_passes(problem: Problem, run: str) -> None:
    assert {control: problem(control, run) for control in GATEKEEPER} == dict.fromkeys(GATEKEEPER)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("no decision", "no policy decision"), ("denied", "denied it"), ("blocked", "denied it"), ("allowed then denied", "denied it"),
        ("undecided", "did not allow it"), ("decided after", "no policy decision"), ("stale decision", "61 minutes old"),
        ("decision on another action", "no policy decision"), ("decision on another call", "no policy decision"),
        ("decision of another tool with this action", "no policy decision"), ("decision on another object", "no policy decision"),
        ("the thief", "no policy decision"),
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
        ("granted after", "no approval"),
        ("approval of another action", "no approval"), ("approval of another call", "no approval"),
        ("approval of another object", "no approval"), ("asked for, though not required", "not given"), ("the thief", "no approval"),
    ],
)  # fmt: skip
def test_a_call_without_a_valid_approval_fails(problem: Problem, run: str, says: str) -> None:
    assert says in str(problem("approval_before_execution", run))
    assert problem("policy_before_side_effect", run) is None or run == "the thief"


@pytest.mark.parametrize(
    ("run", "says"),
    [("self", "actor"), ("agent", "agent"), ("agent id", "agent"), ("nobody", "not recorded"), ("withheld approver", "not recorded")],
)
def test_who_acts_does_not_approve(problem: Problem, run: str, says: str) -> None:
    assert says in str(problem("approval_by_another", run))
    assert problem("approval_before_execution", run) is None


def test_no_denied_action_runs(results: dict[str, ControlResult]) -> None:
    """Whoever denied it; what was denied and did not run is as it must be."""
    found = {row["run_id"] for row in results["denied_not_executed"].evidence}
    assert found == {"denied", "blocked", "allowed then denied", "refused", "granted then refused", "void"}


def test_evidence_names_the_records(results: dict[str, ControlResult], lake: Lake) -> None:
    """The offending call and the decision that it was held against, both to be found in the lake."""
    row = next(row for row in results["denied_not_executed"].evidence if row["run_id"] == "denied")
    kinds = lake.sql("SELECT record_id, kind FROM steps").to_pylist()
    assert {each["kind"] for each in kinds if each["record_id"] in {row["record_id"], row["policy_record_id"]}} == {"tool", "policy"}
    assert str(row["time"]) == "2026-11-21 12:01:40"


@pytest.mark.parametrize(
    ("control", "failing"),
    [
        ("retries_idempotent", {"retried"}),
        ("side_effect_declared", {"unclassified"}),
        ("runs_end", {"abandoned"}),
        ("records_complete", {"with a gap", "with an orphan"}),
        ("model_version_recorded", {"not answered", "an alias"}),
        ("memory_retention", {"remembers for ever", "remembers ids"}),
        ("denied_sources_unread", {"let in"}),
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


def test_a_release_without_an_evaluation_fails(results: dict[str, ControlResult]) -> None:
    assert [(row["release"], row["evals"]) for row in results["releases_evaluated"].evidence] == [("2.0", 0)]


def test_the_contract_control_names_what_is_missing(results: dict[str, ControlResult]) -> None:
    """One row a run, also of runs that lack little."""
    rows = {row["run_id"]: row for row in results["contract_complete"].evidence}
    assert rows["ended"]["problem"] == "1 required fields are missing: run: environment"
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
