"""The event contract: the fields that eight event types must carry, as the table of the agent-operations vocabulary has them."""

from collections.abc import Iterator
from typing import Any

import pytest

from storage.contract import check
from storage.contract.fields import required_fields
from storage.lake import Lake
from tests.lake_builder import Row, event, model, span, write_lake

A = "auditlake."
IDENTITY = {"tenant": "acme", "environment": "prod", "release": "2.0", "actor": "customer-9"}


def whole_run() -> tuple[list[Row], list[Row]]:
    """One record of each event type with everything that the contract asks for."""
    spans = [
        span("root", step_kind="run"),
        model("m", prompt_version="7", finish_reason="stop", attributes={"auditlake.input.ref": "ticket-81"}),
        span("t", step_kind="tool", tool_name="pay", side_effect="write", retry_count=0, attributes={
            "gen_ai.tool.call.arguments": "{}", A + "tool.authorization": "policy:pay", A + "tool.idempotency_key": "pay-81",
        }),
        span("r", step_kind="retrieval", attributes={
            A + "retrieval.source_ids": "[]", A + "retrieval.freshness_seconds": "3600", A + "retrieval.access_decision": "allow",
            A + "retrieval.citation_required": "true",
        }),
        span("w", step_kind="memory", attributes={
            A + "memory.operation": "write", A + "memory.write_ids": "[]", A + "memory.retention_class": "session",
            A + "memory.policy_basis": "consent",
        }),
        span("l", step_kind="memory", operation="search_memory", attributes={
            A + "memory.read_ids": "[]", A + "memory.policy_basis": "consent",
        }),
    ]  # fmt: skip
    events = [
        event("policy.decision", step_kind="policy", decision="allow", policy_version="1", reason_code="ok", attributes={
            A + "policy.effect": "none",
        }),
        event("approval", step_kind="approval", approval_state="granted", action="pay", attributes={
            A + "approval.approver_role": "lead", A + "approval.expires_at": "2026-11-21T13:00:00Z",
        }),
        event("gen_ai.evaluation.result", step_kind="eval", eval_score=0.9, eval_threshold=0.7, eval_passed=True, attributes={
            A + "eval.case_id": "c-1", A + "eval.evaluator_version": "3",
        }),
    ]  # fmt: skip
    return [row | IDENTITY for row in spans], [row | IDENTITY for row in events]


def blanked(row: Row) -> Row:
    """The same with nothing in its own attributes, but for what says which sort of operation it is."""
    kept = A + "memory.operation"
    said = {name: " " if name.startswith(A) and name != kept else value for name, value in row["attributes"].items()}
    return row | {"attributes": said}


def bare_run(run: str, *rows: Row) -> list[Row]:
    return [row | IDENTITY | {"run_id": run, "trace_id": run} for row in rows]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data = tmp_path_factory.mktemp("contract")
    spans, events = whole_run()
    for name, columns in {
        "openinference": {"attributes": {"llm.input_messages.1.message.role": "user"}},
        "vercel": {"attributes": {"ai.prompt.messages": "[]"}},
        "traceloop": {"attributes": {"gen_ai.prompt.0.content": "x"}},
        "span events": {"events": [{"name": "gen_ai.user.message"}]},
        "log records": {},
        "none": {},
    }.items():
        spans += bare_run(name, model("m", prompt_version="7", finish_reason="stop", **columns))
    events += bare_run("log records", event("gen_ai.user.message", inside="m", step_kind="message"))
    for name, attribute in {
        "tool openinference": "input.value", "tool vercel": "ai.toolCall.args", "tool traceloop": "traceloop.entity.input",
        "tool mlflow": "mlflow.spanInputs", "tool nothing": "other",
    }.items():  # fmt: skip
        spans += bare_run(
            name, span("t", step_kind="tool", tool_name="look_up", side_effect="read", retry_count=0, attributes={attribute: "{}"})
        )
    spans += bare_run("decided", span("t", step_kind="tool", tool_name="Bash", tool_call_id="c1"))
    events += bare_run("decided", event("tool_decision", step_kind="policy", decision="allow", tool_name="Bash", tool_call_id="c1"))
    failed = model("m", tokens=None, cost=None, status_code=2, error_type="RateLimit")
    spans += bare_run("failed", failed)
    spans += bare_run("embedding", model("m", tokens=None, input_tokens=5, operation="embeddings"))
    spans += bare_run("sent cost", model("m", cost=None, sent_cost_usd=0.1))
    spans += bare_run(
        "bare",
        *(span(kind, step_kind=kind) for kind in ("run", "tool", "retrieval", "memory")),
        model("m", tokens=None, cost=None, model=None),
    )
    events += bare_run("bare", *(event(kind, step_kind=kind) for kind in ("policy", "approval", "eval")))
    blank_spans, blank_events = (bare_run("blank", *map(blanked, rows)) for rows in whole_run())
    spans, events = [*spans, *blank_spans], [*events, *blank_events]
    spans += [row | {"tenant": None, "actor": None} for row in bare_run("nobody", span("root", step_kind="run"))]
    spans += bare_run("wrapped", model("outer", tokens=(1, 1)), model("inner", parent="outer", tokens=(1, 1)))
    write_lake(data, spans=spans, events=events)
    with Lake.open(data) as opened:
        yield opened


@pytest.fixture(scope="module")
def gaps(lake: Lake) -> dict[str, set[tuple[str, str]]]:
    """Run → (event, field) that is missing, by the view."""
    found: dict[str, set[tuple[str, str]]] = {}
    for row in lake.query("SELECT run_id, event, field FROM contract_gaps").to_pylist():
        found.setdefault(row["run_id"], set()).add((row["event"], row["field"]))
    return found


Gaps = dict[str, set[tuple[str, str]]]


def test_the_contract_has_the_eight_event_types_with_their_fields() -> None:
    """As the specification's table has them."""
    assert required_fields() == {
        "run": ("trace id", "run id", "actor", "tenant", "environment", "release"),
        "model": ("model", "prompt version", "input reference", "output status", "tokens", "cost", "latency"),
        "tool": ("tool name", "redacted arguments", "authorization", "status", "retry count", "idempotency key"),
        "retrieval": ("source ids", "freshness", "access decision", "citation requirements"),
        "memory": ("read ids", "write ids", "retention class", "policy basis"),
        "policy": ("policy version", "decision", "reason code", "enforcement effect"),
        "approval": ("approver role", "exact action", "expiry", "result"),
        "eval": ("case id", "evaluator version", "score", "threshold", "pass/fail"),
    }


def test_a_run_with_every_field_is_complete(lake: Lake, gaps: Gaps) -> None:
    report = check(lake, "run-1")
    assert report is not None
    assert (report.ok, report.gaps, report.contract) == (True, (), None)
    assert report.checked == 6 + 7 + 6 + 4 + 3 + 2 + 4 + 4 + 5
    assert "run-1" not in gaps


def test_bare_records_lack_everything_but_what_every_record_has(gaps: Gaps) -> None:
    """Nothing was rejected: all of it is in the lake, and the view says what it lacks."""
    had = {("run", field) for field in required_fields()["run"]} | {("model", "latency"), ("tool", "status")}
    assert gaps["bare"] == {(name, field) for name, fields in required_fields().items() for field in fields} - had


def test_a_blank_text_is_no_value(gaps: Gaps) -> None:
    """An attribute that is there and says nothing records nothing. The approval is of this tool, so that its call was authorized."""
    assert gaps["blank"] == {
        ("model", "input reference"), ("tool", "idempotency key"),
        ("retrieval", "source ids"), ("retrieval", "freshness"), ("retrieval", "access decision"), ("retrieval", "citation requirements"),
        ("memory", "read ids"), ("memory", "write ids"), ("memory", "retention class"), ("memory", "policy basis"),
        ("policy", "enforcement effect"), ("approval", "approver role"), ("approval", "expiry"),
        ("eval", "case id"), ("eval", "evaluator version"),
    }  # fmt: skip


def test_a_run_of_nobody_lacks_its_actor_and_tenant(lake: Lake) -> None:
    report = check(lake, "nobody")
    assert report is not None
    assert [(gap.record_id, gap.event, gap.field, gap.requirement) for gap in report.gaps] == [
        (None, "run", "actor", "run: actor"), (None, "run", "tenant", "run: tenant"),
    ]  # fmt: skip


@pytest.mark.parametrize("run", ["openinference", "vercel", "traceloop", "span events", "log records"])
def test_the_messages_of_any_dialect_are_an_input_reference(gaps: Gaps, run: str) -> None:
    assert run not in gaps
    assert gaps["none"] == {("model", "input reference")}


@pytest.mark.parametrize("run", ["tool openinference", "tool vercel", "tool traceloop", "tool mlflow"])
def test_the_arguments_of_any_dialect_are_arguments(gaps: Gaps, run: str) -> None:
    assert gaps[run] == {("tool", "authorization")}
    assert ("tool", "redacted arguments") in gaps["tool nothing"]


def test_every_attribute_that_the_views_read_arguments_from_counts() -> None:
    """The view tool_calls and the contract must not disagree about where arguments stand."""
    import re

    from storage.views import view_sql

    (coalesced,) = re.findall(r"coalesce\(([^()]*)\) AS arguments", view_sql("tool_calls"))
    named = set(re.findall(r"attributes\['([^']+)'\]", coalesced))
    assert named
    assert [name for name in named if f"'{name}'" not in view_sql("_contract_checks")] == []


def test_a_recorded_decision_is_an_authorization(gaps: Gaps) -> None:
    assert ("tool", "authorization") not in gaps["decided"]


def test_a_tool_that_only_reads_needs_no_idempotency_key(gaps: Gaps) -> None:
    """One that does not say so might write."""
    assert ("tool", "idempotency key") not in gaps["tool vercel"]
    assert ("tool", "idempotency key") in gaps["decided"]


def test_a_call_that_failed_has_no_tokens_and_no_cost(gaps: Gaps) -> None:
    assert gaps["failed"] == {("model", "prompt version"), ("model", "input reference")}


def test_what_a_call_has_in_another_form_counts(gaps: Gaps) -> None:
    """An embedding has no output tokens; a cost that the agent sent is a cost."""
    assert ("model", "tokens") not in gaps["embedding"]
    assert ("model", "cost") not in gaps["sent cost"]


def test_a_wrapper_is_no_second_model_call(lake: Lake) -> None:
    report = check(lake, "wrapped")
    assert report is not None
    assert len({gap.record_id for gap in report.gaps if gap.event == "model"}) == 1


def test_the_check_of_a_run_and_the_view_agree(lake: Lake, gaps: Gaps) -> None:
    """They are one definition."""
    for run in ("bare", "decided", "wrapped"):
        report: Any = check(lake, run)
        assert {(gap.event, gap.field) for gap in report.gaps} == gaps[run]


def test_an_unknown_run_has_no_report(lake: Lake) -> None:
    assert check(lake, "nothing") is None
