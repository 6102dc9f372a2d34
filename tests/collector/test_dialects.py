"""Dialects: what each framework's names mean, older ones too, and that no value of any type can stop a reader."""

import importlib
import os
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import dialects
from collector.decode import Decoder
from collector.dialects import (
    genai,
    normalise,
    vocabulary,
)
from collector.dialects.names import COMMON, METRIC, RESOURCE, VOCABULARY
from collector.dialects.record import JOINS, UNSTORED, Join, LogView, SpanView
from storage.schema import CANONICAL, METRIC_CANONICAL, STEP_KINDS
from tests.collector.otlp_samples import header, logs, traces

REGISTRY = yaml.safe_load((Path(vocabulary.__file__).parent / "vocabulary.yaml").read_text(encoding="utf-8"))
MODULES = tuple(
    module
    for info in pkgutil.iter_modules(dialects.__path__)
    if hasattr(module := importlib.import_module(f"collector.dialects.{info.name}"), "DIALECT")
)


def span(attributes: dict[str, Any] | None = None, *, scope: str = "", root: bool = False, **fields: Any) -> dict[str, Any]:
    view = SpanView(scope, fields.get("name", "span"), attributes or {}, fields.get("resource", {}), root, fields.get("failed", False))
    return dialects.read_span(view._replace(events=fields.get("events", ())))


def log(event: str, attributes: dict[str, Any] | None = None, *, body: Any = None, in_span: bool = True) -> dict[str, Any]:
    return dialects.read_log(LogView("", event, body, attributes or {}, {}, in_span))


def subset(found: dict[str, Any], **expected: Any) -> None:
    assert {name: found.get(name) for name in expected} == expected


def test_every_dialect_is_in_the_ordered_tuple_under_a_name_of_its_own():
    assert {dialect.name for dialect in dialects.DIALECTS} == {module.DIALECT.name for module in MODULES}
    assert len({dialect.name for dialect in dialects.DIALECTS}) == len(dialects.DIALECTS)


def test_name_tables_fill_only_canonical_columns():
    columns = {name for name, _ in CANONICAL} | UNSTORED
    for names in (VOCABULARY, COMMON, RESOURCE, *(module.NAMES for module in MODULES)):
        assert names.keys() <= columns
    assert METRIC.keys() <= {name for name, _ in METRIC_CANONICAL}


def test_the_vocabulary_agrees_with_its_registry():
    assert {name: event["kind"] for name, event in REGISTRY["events"].items()} == vocabulary.KIND_OF_EVENT
    ours = {attribute for _, attributes in VOCABULARY.values() for attribute in attributes}
    assert ours <= REGISTRY["attributes"].keys()
    assert set(vocabulary.KIND_OF_EVENT.values()) <= set(STEP_KINDS)


def test_older_genai_names():
    found = span({
        "gen_ai.system": "az.ai.openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
        "gen_ai.usage.cache_creation.input_tokens": 3, "gen_ai.response.finish_reasons": '["STOP"]',
    })  # fmt: skip
    subset(
        found, step_kind="model", provider="azure.ai.openai", input_tokens=10, output_tokens=5, cache_write_tokens=3, finish_reason="stop"
    )


def test_current_names_go_before_older_ones_whatever_their_order():
    names = {"gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 2, "gen_ai.operation.name": "chat"}
    assert span(names)["input_tokens"] == span(dict(reversed(names.items())))["input_tokens"] == 2


WRAPPED = {"gen_ai.usage.input_tokens": 2400, "gen_ai.response.id": "r", "gen_ai.response.finish_reasons": ["stop"], "operation.cost": 0.1}


@pytest.mark.parametrize("operation", ["execute_event_loop_cycle", "agent_step", "plan", "execute_tool"])
def test_wrappers_are_no_model_steps_and_carry_no_tokens(operation):
    found = span({"gen_ai.operation.name": operation, **WRAPPED})
    assert found["step_kind"] != "model"
    assert not {"input_tokens", "response_id", "finish_reason", "sent_cost_usd"} & found.keys()


@pytest.mark.parametrize("operation", ["invoke_agent", "invoke_workflow"])
def test_agents_keep_the_sum_of_their_calls_and_nothing_of_the_last_of_them(operation):
    """What of it counts says the view: mostly nothing, as the calls are recorded."""
    found = span({"gen_ai.operation.name": operation, **WRAPPED})
    subset(found, step_kind="agent", input_tokens=2400, sent_cost_usd=0.1)
    assert not {"response_id", "finish_reason"} & found.keys()


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("embeddings", "model"),
        ("generate_content", "model"),
        ("retrieval", "retrieval"),
        ("search_memory", "memory"),
        ("delete_memory", "memory"),
    ],
)
def test_operations_give_the_kind(operation, kind):
    assert span({"gen_ai.operation.name": operation})["step_kind"] == kind


def test_a_roots_workflow_is_the_run():
    assert span({"gen_ai.operation.name": "invoke_workflow"}, root=True)["step_kind"] == "run"
    assert span({"gen_ai.operation.name": "invoke_workflow"})["step_kind"] == "agent"


def test_messages_that_arrive_in_span_events_tell_the_finish_reason():
    output = '[{"role":"assistant","parts":[],"finish_reason":"tool_use"}]'
    events = [("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": output}), ("other", {})]
    assert span({"gen_ai.operation.name": "chat"}, events=events)["finish_reason"] == "tool_calls"


def test_error_type_comes_from_the_attribute_else_from_the_exception():
    events = [("exception", {"exception.type": "ValueError"})]
    assert span({"error.type": "timeout"}, failed=True, events=events)["error_type"] == "timeout"
    assert span({}, failed=True, events=events)["error_type"] == "ValueError"
    assert "error_type" not in span({}, events=events)  # handled: the span did not fail


def test_inference_details_are_a_message_in_a_span_and_the_call_itself_without_one():
    details = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 1, "gen_ai.response.id": "r"}
    subset(log(genai.DETAILS, details), step_kind="message", input_tokens=None, response_id="r")
    subset(log(genai.DETAILS, details, in_span=False), step_kind="model", input_tokens=5)
    failed = {"gen_ai.operation.name": "chat", "error.type": "timeout"}
    subset(log(genai.DETAILS, failed), error_type=None)  # one failure is one error: the span's
    subset(log(genai.DETAILS, failed, in_span=False), error_type="timeout")


def test_legacy_message_events():
    subset(log("gen_ai.user.message", {"gen_ai.system": "openai"}, body={"content": "hi"}), step_kind="message", provider="openai")
    subset(log("gen_ai.choice", body={"index": 0, "finish_reason": "tool-calls"}), step_kind="message", finish_reason="tool_calls")


def test_evaluation_results():
    attributes = {"gen_ai.evaluation.name": "faithful", "gen_ai.evaluation.score.value": 0.5, "gen_ai.evaluation.score.label": "fail"}
    subset(log("gen_ai.evaluation.result", attributes), step_kind="eval", eval_name="faithful", eval_score=0.5, eval_passed=False)
    subset(log("gen_ai.evaluation.result", {**attributes, "auditlake.eval.passed": True}), eval_passed=True)


def test_sdk_span_and_events():
    numbers = {"auditlake.seq": 7, "auditlake.seq.last": 7}
    run = span({"auditlake.kind": "run", "auditlake.run.id": "r-1", "auditlake.stop_reason": "completed", **numbers}, root=True)
    subset(run, step_kind="run", run_id="r-1", sequence=7, sequence_last=7, stop_reason="completed", dialect="auditlake")
    call = span({"auditlake.kind": "model", "gen_ai.usage.input_tokens": 7, "gen_ai.request.model": "m", "operation.cost": 0.25})
    subset(call, step_kind="model", input_tokens=7, model_requested="m", sent_cost_usd=0.25)
    policy = log(
        "policy.decision", {"auditlake.policy.decision": "deny", "auditlake.policy.reason_code": "limit", "auditlake.policy.action": "x"}
    )
    subset(policy, step_kind="policy", decision="deny", reason_code="limit", action="x")
    approval = {"auditlake.approval.state": "granted", "auditlake.approval.approver": "lead", "gen_ai.tool.name": "refund"}
    subset(log("approval", approval), step_kind="approval", approval_state="granted", approver="lead", tool_name="refund")
    action = {"auditlake.action": "a", "auditlake.resource": "o/1", "auditlake.outcome": "success", "auditlake.latency_ms": 12.5}
    subset(log("agent_action", action), action="a", resource="o/1", outcome="success", latency_ms=12.5)
    assert log("heartbeat")["step_kind"] == log("agent.shutdown")["step_kind"] == "heartbeat"


def test_our_attributes_count_on_spans_of_every_framework():
    subset(span({"openinference.span.kind": "TOOL", "auditlake.tool.side_effect": "external"}), side_effect="external", step_kind="tool")
    subset(span({"http.method": "GET", "auditlake.run.id": "r-1"}), run_id="r-1", dialect="otel")


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("LLM", "model"),
        ("llm", "model"),
        ("RERANKER", "retrieval"),
        ("EVALUATOR", "eval"),
        ("GUARDRAIL", "policy"),
        ("CHAIN", "other"),
        (3, "other"),
    ],
)
def test_openinference_kinds(kind, step):
    assert span({"openinference.span.kind": kind})["step_kind"] == step


def test_openinference_root_chain_is_the_run():
    assert span({"openinference.span.kind": "CHAIN"}, root=True)["step_kind"] == "run"


def test_older_vercel_names():
    call = {
        "ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat",
        "ai.usage.inputTokens": 5,
        "ai.usage.cachedInputTokens": 2, "ai.response.finishReason": "tool-calls", "ai.telemetry.functionId": "weather",
    }  # fmt: skip
    found = span(call, scope="ai")
    subset(found, step_kind="model", operation="chat", model_requested="gpt-4o", provider="openai", cache_read_tokens=2)
    subset(found, finish_reason="tool_calls", agent_name="weather", dialect="vercel-ai")
    outer = span({**call, "ai.operationId": "ai.generateText"}, scope="ai")
    subset(outer, step_kind="agent", input_tokens=None)
    subset(
        span({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "t", "ai.toolCall.id": "c"}),
        step_kind="tool",
        tool_name="t",
        tool_call_id="c",
    )


def test_older_traceloop_model_call():
    found = span({
        "traceloop.workflow.name": "flow", "llm.request.type": "completion", "gen_ai.system": "Anthropic", "gen_ai.request.model": "claude",
        "gen_ai.usage.cache_read_input_tokens": 4, "gen_ai.completion.0.finish_reason": "end_turn",
    })  # fmt: skip
    subset(
        found,
        dialect="traceloop",
        step_kind="model",
        operation="text_completion",
        provider="anthropic",
        cache_read_tokens=4,
        finish_reason="stop",
    )


def test_pydantic_tool_that_asks_for_approval_did_not_run():
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "refund",
        "pydantic_ai.tool.deferral.name": "ApprovalRequired",
    }
    subset(span(attributes, scope="pydantic-ai"), step_kind="approval", approval_state="requested", requires_approval=True, action="refund")
    assert span({**attributes, "pydantic_ai.tool.deferral.name": "CallDeferred"}, scope="pydantic-ai")["step_kind"] == "tool"


@pytest.mark.parametrize(("result", "state"), [("done", "granted"), ("The tool call was denied.", "denied")])
def test_pydantic_run_that_is_resumed_joins_the_one_that_asked(result, state):
    asked = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.conversation.id": "c",
        "final_result": '{"approvals":[{"tool_name":"t","tool_call_id":"1"}]}',
    }
    messages = '[{"role":"user"},{"parts":[]},{"parts":[{"type":"tool_call_response","id":"1","name":"t","result":"RESULT"}]}]'
    answer = {
        "gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c", "pydantic_ai.new_message_index": 2,
        "pydantic_ai.all_messages": messages.replace("RESULT", result),
    }  # fmt: skip
    first, second = span(asked, scope="pydantic-ai"), span(answer, scope="pydantic-ai")
    assert first[JOINS] == second[JOINS] == (Join("call:c:1"),)
    assert (first["approval_state"], second["approval_state"]) == ("requested", state)


def test_pydantic_conversation_alone_joins_nothing():
    found = span({"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c", "final_result": "done"}, scope="pydantic-ai")
    assert found[JOINS] == ()
    assert "approval_state" not in found


def test_plain_opentelemetry_root_is_the_run():
    subset(span({"http.route": "/"}, root=True), step_kind="run", dialect="otel")
    subset(span({"db.system": "postgresql"}), step_kind="other", dialect="otel")
    subset(log("", body="a line"), step_kind="other", dialect="otel")


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [("openai.chat", "openai"), ("OpenAI", "openai"), ("strands-agents", None), ("aws_bedrock", "aws.bedrock"),
     ("anthropic.messages", "anthropic"),
     ("my.gateway", "my.gateway"), ("", None), (None, None), ("gcp.vertex_ai", "gcp.vertex_ai"), ("azure.ai.openai", "azure.ai.openai")],
)  # fmt: skip
def test_providers_have_one_spelling(sent, canonical):
    assert normalise.provider(sent) == canonical


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [("tool-calls", "tool_calls"), (["tool_call"], "tool_calls"), ('["tool_use"]', "tool_calls"), ("FinishReason.STOP", "stop"),
     ("end_turn", "stop"),
     ("MAX_TOKENS", "length"), ("content-filter", "content_filter"), ("paused", "paused"), ([], None), ([None, "stop"], "stop"), (7, "7")],
)  # fmt: skip
def test_finish_reasons_have_one_spelling(sent, canonical):
    assert normalise.finish_reason(sent) == canonical


NAMES = sorted({name for module in MODULES for name in module.TABLE.attributes if hasattr(module, "TABLE")} | {
    "auditlake.kind", "openinference.span.kind", "traceloop.span.kind", "ai.operationId", "metadata", "final_result", "output.value",
    "pydantic_ai.new_message_index", "pydantic_ai.all_messages", "gen_ai.output.messages", "llm.invocation_parameters", "exception.type",
    "messaging.operation", "gen_ai.agent.call.id", "pydantic_ai.tool.deferral.name", "event.name",
})  # fmt: skip
LEAVES = st.one_of(
    st.text(max_size=8), st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.binary(max_size=4), st.sampled_from([
        "chat", "invoke_agent", "LLM", "AGENT", "tool", "model", "[]", "{}", '[{"parts":[{"type":"tool_call_response","id":[1]}]}]',
        "[1,", "NaN", "1e999",
        '{"approvals":[{"tool_call_id":{}}],"calls":[3]}', '{"approvals":"x"}', '{"tenant":["x"]}', "9" * 40, "\0",
    ]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)), max_leaves=5
)
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12)
SCOPES = st.sampled_from(["", "pydantic-ai", "strands.telemetry.tracer", "autogen-core", "gen_ai", "ai"])
EVENTS = st.sampled_from(["", "approval", "gen_ai.choice", genai.DETAILS, "gen_ai.evaluation.result", "heartbeat"])


@settings(max_examples=150, deadline=None)
@given(ATTRIBUTES, ATTRIBUTES, SCOPES, EVENTS, VALUES)
def test_no_value_of_any_type_can_stop_decoding(attributes, resource, scope, event, body):
    decoder = Decoder("node/collector", 0)
    one = {"attributes": attributes, "status_code": 2, "events": [("exception", attributes)]}
    decoder.add(header("traces"), traces(one, scope=scope, resource=resource).SerializeToString())
    record = {"attributes": attributes, "event_name": event, "body": body}
    decoder.add(header("logs"), logs(record, scope=scope, resource=resource).SerializeToString())
    for table in decoder.tables(os.urandom).values():
        table.validate(full=True)
        (row,) = table.to_pylist()
        assert row["step_kind"] in STEP_KINDS
        assert row["step_kind"] == "model" or row["input_tokens"] is None
        assert row["cost_usd"] is None or row["cost_usd"] >= 0 or row["cost_source"] == "sent"
