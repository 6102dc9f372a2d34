"""A trace contract over a run: each rule on the steps of a small run, and one contract through the lake."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.contract import TraceContract, check, load_contract
from storage.contract.rules import Facts, check_rules, labels
from storage.lake import Lake
from tests.lake_builder import event, model, span, write_lake

RUN = {
    "status": "ok", "stop_reason": "completed", "steps": 5, "model_calls": 1, "tool_calls": 2, "errors": 0, "cost_usd": 0.5,
    "input_tokens": 100, "output_tokens": 10, "duration_ms": 2000.0, "orphans": 0, "gaps": 0,
}  # fmt: skip
STEP = dict.fromkeys((
    "tool_name", "model", "model_requested", "provider", "decision", "action", "approval_state", "eval_name", "eval_score", "eval_passed",
    "operation", "agent_name", "redactions", "cost_usd", "input_tokens", "output_tokens", "side_effect",
))  # fmt: skip
FINE = {"policy_problem": None, "approval_problem": None, "approver_problem": None, "executed": True, "approval_record_id": "a"}


def step(record: str, kind: str, **columns: Any) -> dict[str, Any]:
    """A step with everything that the rules look at."""
    return {**STEP, "record_id": record, "kind": kind, "name": kind, "status": "ok", "counted": kind == "model", "attributes": {}} | columns


def call(record: str, tool: str, **columns: Any) -> dict[str, Any]:
    """A row of tool_authorizations."""
    return {"record_id": record, "tool_name": tool, "side_effect": "read", **FINE} | columns


ANSWER = step(
    "m", "model", model="gpt-5-2026", model_requested="gpt-5", provider="openai", cost_usd=0.5, input_tokens=100, output_tokens=10
)
STEPS = [
    step("c", "checkpoint", name="checkpoint", attributes={"auditlake.checkpoint.name": "accepted_request"}), ANSWER,
    step("a", "approval", approval_state="granted", tool_name="pay", attributes={"auditlake.approval.approver_role": "lead"}),
    step("t1", "tool", tool_name="look_up"), step("t2", "tool", tool_name="pay", redactions={"CREDIT_CARD": 1, "WITHHELD": 2}),
    step("e", "eval", eval_name="helpfulness", eval_score=0.8, eval_passed=True),
]  # fmt: skip
CALLS = [call("t1", "look_up"), call("t2", "pay", side_effect="write")]


def violations(
    rules: Mapping[str, Any], *, run: Mapping[str, Any] = RUN, steps: Sequence[Any] = STEPS, calls: Sequence[Any] = CALLS
) -> list[tuple[str, str | None]]:
    """What a contract with these rules finds: requirement and record."""
    contract = TraceContract.model_validate({"name": "c", **rules})
    checked, gaps = check_rules(contract, Facts(run=run, steps=steps, calls=calls))
    assert checked >= len(gaps)
    return [(gap.requirement, gap.record_id) for gap in gaps]


@pytest.mark.parametrize(
    "rules",
    [
        {}, {"tools": {"allowed": ["look_*", "pay"], "forbidden": ["delete_*"], "required": ["pay"], "max_calls": {"*": 2}}},
        {"tools": {"require_approval": ["pay"], "require_policy": ["*"]}, "approvals": {"roles": ["lead"]}},
        {"side_effects": {"require_policy": True, "require_approval": True, "require_class": True}},
        {"models": {"allowed": ["gpt-5*"], "forbidden": ["*-mini"], "providers": ["openai"], "require_version": True}},
        {"evals": [{"name": "helpfulness", "min_score": 0.8, "passed": True}]},
        {"limits": {"cost_usd": 0.5, "duration_seconds": 2, "steps": 5, "model_calls": 1, "tool_calls": 2, "errors": 0, "input_tokens": 100,
                    "output_tokens": 10, "total_tokens": 110}},
        {"events": {"required": ["checkpoint:accepted_request"], "forbidden": ["approval:denied"],
                    "in_order": ["checkpoint", "approval:granted:pay", "tool:pay", "eval:helpfulness"]}},
        {"run": {"status": ["ok"], "stop_reasons": ["completed"], "complete": True}},
        {"privacy": {"forbidden_entities": ["IBAN_CODE"]}},
    ],
)  # fmt: skip
def test_a_run_that_keeps_the_contract_has_no_gap(rules: Mapping[str, Any]) -> None:
    assert violations(rules) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({"tools": {"allowed": ["look_up"]}}, ("tools.allowed: pay", "t2")),
        ({"tools": {"allowed": []}}, ("tools.allowed: look_up", "t1")),
        ({"tools": {"forbidden": ["p?y"]}}, ("tools.forbidden: pay", "t2")),
        ({"tools": {"required": ["refund"]}}, ("tools.required: refund", None)),
        ({"tools": {"max_calls": {"pay": 0}}}, ("tools.max_calls: pay", None)),
        ({"models": {"allowed": ["gpt-5"]}}, ("models.allowed: gpt-5-2026", "m")),
        ({"models": {"forbidden": ["gpt-5"]}}, ("models.forbidden: gpt-5-2026", "m")),
        ({"models": {"providers": ["anthropic"]}}, ("models.providers: openai", "m")),
        ({"evals": [{"name": "safety"}]}, ("evals: safety", None)),
        ({"evals": [{"name": "helpfulness", "min_score": 0.81}]}, ("evals.min_score: helpfulness", "e")),
        ({"evals": [{"name": "helpfulness", "passed": False}]}, ("evals.passed: helpfulness", "e")),
        ({"limits": {"cost_usd": 0.49}}, ("limits: cost_usd", None)),
        ({"limits": {"duration_seconds": 1.9}}, ("limits: duration_seconds", None)),
        ({"limits": {"total_tokens": 109}}, ("limits: total_tokens", None)),
        ({"limits": {"tool_calls": 1}}, ("limits: tool_calls", None)),
        ({"events": {"required": ["run.started"]}}, ("events.required: run.started", None)),
        ({"events": {"forbidden": ["tool:pay"]}}, ("events.forbidden: tool:pay", "t2")),
        ({"events": {"in_order": ["tool:pay", "approval:granted"]}}, ("events.in_order: approval:granted", None)),
        ({"run": {"status": ["error"]}}, ("run.status: ok", None)),
        ({"run": {"stop_reasons": ["max_*"]}}, ("run.stop_reasons: completed", None)),
        ({"privacy": {"nothing_withheld": True}}, ("privacy.nothing_withheld: tool", "t2")),
        ({"privacy": {"forbidden_entities": ["CREDIT_*"]}}, ("privacy.forbidden_entities: CREDIT_CARD", "t2")),
    ],
)
def test_each_rule_finds_what_it_is_about(rules: Mapping[str, Any], found: tuple[str, str | None]) -> None:
    assert found in violations(rules)


@pytest.mark.parametrize("rule", ["tools", "side_effects"])
@pytest.mark.parametrize(
    ("require", "wrong"),
    [
        ("require_policy", {"policy_problem": "the policy denied it"}),
        ("require_approval", {"approval_problem": "no approval of it before it ran"}),
        ("require_approval", {"approver_problem": "the approver is the actor of the run"}),
    ],
)
def test_what_must_come_before_a_call_is_what_the_controls_demand(rule: str, require: str, wrong: dict[str, Any]) -> None:
    """The same view decides; a call that was refused did not run."""
    rules = {rule: {require: ["pay"] if rule == "tools" else True}}
    bad = [call("t2", "pay", side_effect=None, **{**FINE, **wrong})]
    assert violations(rules, calls=bad) == [(f"{rule}.{require}: pay", "t2")]
    assert violations(rules, calls=[bad[0] | {"executed": False}]) == []
    assert violations(rules, calls=[bad[0] | {"tool_name": "look_up", "side_effect": "read"}]) == []


def test_an_approval_by_the_wrong_role_is_none() -> None:
    rules = {"tools": {"require_approval": ["pay"]}, "approvals": {"roles": ["director"]}}
    assert violations(rules) == [("tools.require_approval: pay", "t2")]
    own = {"tools": {"require_approval": ["pay"]}, "approvals": {"by_another": False}}
    assert violations(own, calls=[call("t2", "pay", **{**FINE, "approver_problem": "the approver is the actor of the run"})]) == []


def test_what_is_not_known_does_not_keep_a_limit() -> None:
    """A call without a price may have cost anything."""
    unpriced = [ANSWER | {"cost_usd": None, "output_tokens": None}]
    limits = {"limits": {"cost_usd": 9, "total_tokens": 9000, "steps": 9}}
    assert violations(limits, steps=unpriced) == [("limits: cost_usd", None), ("limits: total_tokens", None)]
    assert violations(limits, steps=[], run=RUN | {"cost_usd": None, "input_tokens": None, "output_tokens": None}) == []


def test_an_embedding_has_no_output_that_could_be_unknown() -> None:
    embedding = [ANSWER | {"operation": "embeddings", "output_tokens": None}]
    assert violations({"limits": {"output_tokens": 10, "total_tokens": 110}}, steps=embedding) == []


@pytest.mark.parametrize("counted", [True, False])
def test_an_agent_whose_calls_nobody_recorded_keeps_no_limit_on_them(counted: bool) -> None:
    """Its totals count where it tells any, and where it tells none its run has nothing that counts."""
    unknown = RUN | {"cost_usd": None, "input_tokens": None, "output_tokens": None}
    hosted = [step("h", "agent", counted=counted)]
    assert violations({"limits": {"cost_usd": 9, "input_tokens": 9000, "steps": 9}}, run=unknown, steps=hosted) == [
        ("limits: cost_usd", None), ("limits: input_tokens", None),
    ]  # fmt: skip


def test_a_model_that_is_not_recorded_is_not_allowed() -> None:
    nameless = [ANSWER | {"model": None, "model_requested": None, "provider": None}]
    rules = {"models": {"allowed": ["*"], "providers": ["*"], "require_version": True}}
    assert violations(rules, steps=nameless) == [
        ("models.allowed: unknown", "m"), ("models.providers: unknown", "m"), ("models.require_version: unknown", "m"),
    ]  # fmt: skip


def test_the_last_result_of_an_eval_counts() -> None:
    steps = [*STEPS, step("e2", "eval", eval_name="helpfulness", eval_score=0.1)]
    assert violations({"evals": [{"name": "helpfulness", "min_score": 0.5}]}, steps=steps) == [("evals.min_score: helpfulness", "e2")]


def test_a_record_that_is_not_whole_is_not_complete() -> None:
    assert violations({"run": {"complete": True}}, run=RUN | {"gaps": 2}) == [("run.complete: record", None)]
    assert violations({"run": {"complete": True}}, run=RUN | {"status": "running", "gaps": None}) == [("run.complete: record", None)]


def test_a_step_has_the_labels_that_a_contract_names_it_by() -> None:
    assert labels(step("a", "approval", name="approval", approval_state="granted", tool_name="pay")) == (
        "approval", "approval", "approval:approval", "approval:granted", "approval:granted:pay",
    )  # fmt: skip
    assert "run.started" in labels(step("r", "run", name="run.started"))


def test_a_contract_is_checked_through_the_lake(tmp_path: Path) -> None:
    """Beside the event contract, whose fields it can waive."""
    path = tmp_path / "contract.yaml"
    path.write_text(
        "name: support\nversion: '3'\n"
        "waived_fields: ['run: environment', 'run: actor', 'model: prompt version', 'model: input reference']\n"
        "tools: {require_approval: [issue_refund]}\nlimits: {cost_usd: 0.1}\n"
    )
    spans = [
        span("root", step_kind="run"),
        span("t", at=5, parent="root", step_kind="tool", tool_name="issue_refund"),
        model("m", parent="root", finish_reason="stop"),
    ]
    approval = event("approval", at=9, trace="trace-1", step_kind="approval", approval_state="granted", action="issue_refund", approver="x")
    write_lake(tmp_path / "data", spans=spans, events=[approval])
    with Lake.open(tmp_path / "data") as lake:
        report = check(lake, "run-1", load_contract(path))
    assert report is not None
    assert report.contract == "support 3"
    found = {(gap.event, gap.requirement): gap.problem for gap in report.gaps}
    assert found["tools.require_approval", "tools.require_approval: issue_refund"] == "it was approved only after it ran"
    assert found["limits", "limits: cost_usd"] == "0.5, at most 0.1"
    assert {field for event, field in found if event in {"run", "model"}} == {"run: tenant", "run: release"}
