"""What each convention means beside its numbers: kinds of steps, decisions, hand-offs, why a run stopped; older generations of names."""

import json
from typing import Any

import pytest

from collector import dialects
from collector.dialects import google_adk, normalise
from collector.dialects.record import JOINS, SpanView
from storage.schema import STEP_KINDS


def span(
    attributes: dict[str, Any] | None = None, *, scope: str = "", name: str = "span", root: bool = False, **fields: Any
) -> dict[str, Any]:
    return dialects.read_span(SpanView(scope, name, attributes or {}, {}, root, fields.get("failed", False), fields.get("events", ())))


def subset(found: dict[str, Any], **expected: Any) -> None:
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("chat", "model"), ("text_completion", "model"), ("generate_content", "model"), ("embeddings", "model"), ("responses", "model"),
        ("chat.completions", "model"), ("call_llm", "model"), ("completion", "model"), ("rerank", "retrieval"), ("retrieval", "retrieval"),
        ("create_agent", "agent"), ("invoke_agent", "agent"), ("invoke_workflow", "agent"), ("execute_tool", "tool"), ("plan", "other"),
        ("create_memory", "memory"), ("search_memory", "memory"), ("update_memory", "memory"), ("upsert_memory", "memory"),
        ("delete_memory", "memory"), ("create_memory_store", "memory"), ("delete_memory_store", "memory"), ("apply_guardrail", "policy"),
        ("fetch_response", "other"), ("invoke_swarm", "agent"), ("of tomorrow", "other"),
    ],
)  # fmt: skip
def test_every_operation_has_its_kind(operation, kind):
    found = span({"gen_ai.operation.name": operation, "gen_ai.request.model": "m"})
    assert found["step_kind"] == kind
    assert kind in STEP_KINDS


def test_memory_and_retrieval_say_what_they_read():
    subset(span({"gen_ai.operation.name": "search_memory", "gen_ai.memory.store.id": "notes"}), resource="notes")
    subset(span({"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "kb-1"}), resource="kb-1")


def test_the_oldest_names_of_openllmetry():
    found = span({
        "llm.request.type": "completion", "llm.vendor": "OpenAI", "llm.request.model": "gpt-4", "llm.response.model": "gpt-4-0613",
        "llm.usage.prompt_tokens": 10, "llm.usage.total_tokens": 15, "llm.completions.0.finish_reason": "length",
    })  # fmt: skip
    subset(found, step_kind="model", operation="text_completion", provider="openai", model_requested="gpt-4", model="gpt-4-0613")
    subset(found, input_tokens=10, output_tokens=5, finish_reason="length")


@pytest.mark.parametrize(
    "event",
    [
        ("gen_ai.choice", {"finish_reason": "tool_use", "message": "[]"}),
        ("gen_ai.choice", {"gen_ai.event.content": '{"finish_reason": "tool_calls"}'}),
        ("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": '[{"finish_reason": "tool_call"}]'}),
        ("gen_ai.client.inference.operation.details", {"gen_ai.response.finish_reasons": ["FinishReason.TOOL_CALLS"]}),
    ],
)
def test_span_events_of_every_generation_tell_the_finish_reason(event):
    assert span({"gen_ai.operation.name": "chat"}, events=[("exception", {}), event])["finish_reason"] == "tool_calls"


def test_usage_in_a_span_event_is_the_calls():
    details = ("gen_ai.client.inference.operation.details", {"gen_ai.usage.input_tokens": 12, "gen_ai.response.id": "r"})
    subset(span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, events=[details]), input_tokens=12, response_id="r")


def test_a_search_in_a_vector_database_is_a_retrieval():
    found = [("db.search.result", {"db.search.result.id": 1})]
    subset(span({"db.system": "milvus", "db.operation": "search"}, events=found), step_kind="retrieval", operation="retrieval")
    subset(span({"db.system": "pinecone", "db.vector.query.top_k": 3}), step_kind="retrieval")
    subset(span({"db.system": "postgresql"}), step_kind="other", dialect="otel")


@pytest.mark.parametrize(
    ("attributes", "decision"),
    [
        ({"gen_ai.guardrail.name": "pii", "gen_ai.guardrail.status": "PASSED"}, "allow"),
        ({"gen_ai.guardrail.verdict.type": "block", "gen_ai.operation.name": "apply_guardrail"}, "deny"),
        ({"gen_ai.guardrail.verdict.type": "modify"}, "modify"),
        ({"openinference.span.kind": "GUARDRAIL", "output.value": "fail"}, "deny"),
        ({"openinference.span.kind": "GUARDRAIL", "output.value": "some text"}, None),
        ({"traceloop.span.kind": "task", "gen_ai.guardrail.name": "pii", "gen_ai.guardrail.status": "FAILED"}, "deny"),
    ],
)
def test_guardrails_are_policy_steps_with_a_decision(attributes, decision):
    subset(span(attributes), step_kind="policy", decision=decision)


@pytest.mark.parametrize(
    ("tool", "arguments", "agent"),
    [
        ("transfer_to_billing", None, "billing"),
        ("Handoff-transfer_to_billing_agent", None, "billing_agent"),
        ("transfer_back_to_supervisor", None, "supervisor"),
        ("handoff_to_agent", '{"agent_name": "refunds", "message": "m"}', "refunds"),
        ("transfer_to_agent", "{}", None),
        ("convert_to_pdf", None, None),
    ],
)
def test_a_tool_call_that_hands_over_names_the_agent(tool, arguments, agent):
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.arguments": arguments}
    found = span({name: value for name, value in attributes.items() if value is not None})
    subset(found, step_kind="tool", handoff_to=agent)


def test_hand_offs_that_are_spans():
    subset(
        span({"openinference.span.kind": "TOOL"}, name="handoff to billing"), step_kind="other", operation="handoff", handoff_to="billing"
    )
    subset(span({"traceloop.span.kind": "handoff", "gen_ai.handoff.to_agent": "billing"}), step_kind="other", handoff_to="billing")
    answer = {"response": {"chat_message": {"type": "HandoffMessage", "source": "triage", "target": "billing"}}}
    told = {"messaging.operation": "process", "message": json.dumps(answer), "recipient_agent_class": "SwarmGroupChatManager"}
    subset(span(told, scope="autogen SingleThreadedAgentRuntime"), step_kind="message", agent_name="triage", handoff_to="billing")
    copy = told | {"recipient_agent_class": "ChatAgentContainer"}
    subset(span(copy, scope="autogen SingleThreadedAgentRuntime"), handoff_to=None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("asyncio.exceptions.CancelledError", "cancelled"), ("TimeoutError", "timeout"), ("agents.MaxTurnsExceeded", "max_steps"),
        ("langgraph.errors.GraphRecursionError", "max_steps"), ("KeyboardInterrupt", "killed"), ("BudgetExceededError", "budget"),
        ("ValueError", None),
    ],
)  # fmt: skip
def test_the_type_of_the_error_tells_why_a_run_stopped(error, reason):
    events = [("exception", {"exception.type": error})]
    subset(span(root=True, failed=True, events=events), stop_reason=reason, error_type=error)
    subset(span(failed=True, events=events), stop_reason=None)  # a step that failed stops no run


@pytest.mark.parametrize(
    ("word", "reason"),
    [("max_turns", "max_steps"), ("CANCELED", "cancelled"), ("timed out", "timeout"), ("success", "completed"), ("odd", "odd"), ("", None)],
)
def test_reasons_to_stop_have_one_spelling(word, reason):
    assert normalise.stop_reason(word) == reason


@pytest.mark.parametrize(
    ("sent", "told", "expected"),
    [
        ((1200, 154, 64), (1200, 90, 64, 1290), (90, "reasoning_subtracted")),  # the newer versions through LiteLLM
        ((106, 52, 46), (106, 6, 46, 158), (52, None)),  # the newer versions with Gemini
        ((106, 6, 46), (106, 6, 46, 158), (52, "reasoning_added")),  # the older ones with Gemini
        ((1200, 90, 64), (1200, 90, 64, 1290), (90, None)),  # the older ones through LiteLLM
        ((1200, 154, 64), None, (154, None)),  # the answer was not kept: nothing is certain
    ],
)
def test_every_version_of_adk_counts_reasoning_once(sent, told, expected):
    names = ("prompt_token_count", "candidates_token_count", "thoughts_token_count", "total_token_count")
    answer = {} if told is None else {"usage_metadata": dict(zip(names, told, strict=True))}
    usage = dict(
        zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.reasoning.output_tokens"), sent, strict=True)
    )
    attributes = {"gen_ai.request.model": "m", "gcp.vertex.agent.llm_response": json.dumps(answer), **usage}
    found = span(attributes, scope="gcp.vertex.agent", name="call_llm")
    assert (found["output_tokens"], found.get("token_convention")) == expected
    subset(found, dialect="google-adk", step_kind="model", operation="generate_content")


def test_adk_spans_that_only_their_name_explains():
    subset(span(scope="gcp.vertex.agent", name="invocation", root=True), step_kind="run")
    subset(span(scope="gcp.vertex.agent", name="agent_run [weather_agent]"), step_kind="agent", agent_name="weather_agent")
    failed = span({"gen_ai.request.model": "m"}, scope="gcp.vertex.agent", name="call_llm", failed=True)
    subset(failed, step_kind="model", model_requested="m", input_tokens=None)
    assert google_adk.read_span(SpanView("other", "call_llm", {}, {}, False, False)) is None
    (join,) = span({"gcp.vertex.agent.invocation_id": "e-1"}, name="send_data")[JOINS]
    assert join == ("invocation:e-1", "names")


def test_a_run_of_pydantic_ais_first_versions_is_an_agent_and_no_call():
    totals = {"model_name": "gpt-4o", "agent_name": "weather_agent", "gen_ai.usage.input_tokens": 2400, "gen_ai.usage.output_tokens": 180}
    subset(span(totals, scope="pydantic-ai", name="agent run"), step_kind="agent", agent_name="weather_agent", input_tokens=None)


def test_a_node_of_a_graph_names_an_agent_only():
    subset(span({"openinference.span.kind": "AGENT", "graph.node.id": "writer"}, name="run"), agent_name="writer")
    subset(span({"openinference.span.kind": "CHAIN", "graph.node.id": "tools"}), agent_name=None)


def test_evaluations_and_rerankers_of_openinference():
    scored = {"openinference.span.kind": "EVALUATOR", "evaluation.score": 0.8, "evaluation.label": "pass"}
    subset(span(scored, name="groundedness"), step_kind="eval", eval_name="groundedness", eval_score=0.8, eval_passed=True)
    ranked = {"openinference.span.kind": "RERANKER", "reranker.model_name": "rerank-v3", "reranker.top_k": 3}
    subset(span(ranked), step_kind="retrieval", operation="rerank", model="rerank-v3")


def test_langchain_tells_the_provider_in_its_metadata():
    metadata = json.dumps({"ls_provider": "anthropic", "thread_id": "t-1", "prompt_version": "v9"})
    found = span({"openinference.span.kind": "LLM", "llm.model_name": "claude", "metadata": metadata})
    subset(found, provider="anthropic", session_id="t-1", prompt_version="v9")


def test_start_markers_are_logfires_whatever_span_they_announce():
    marker = {
        "logfire.span_type": "pending_span",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "openinference.span.kind": "LLM",
    }
    subset(span(marker, scope="pydantic-ai"), dialect="logfire", step_kind="other", operation="pending_span")


@pytest.mark.parametrize(
    ("scope", "dialect"),
    [
        ("Microsoft.SemanticKernel.Diagnostics", "agent-framework"), ("Experimental.Microsoft.Extensions.AI", "agent-framework"),
        ("agent_framework", "agent-framework"), ("logfire.anthropic", "logfire"), ("gcp.vertex.agent", "google-adk"),
        ("strands.telemetry.tracer", "strands"), ("my.own", "otel-genai"),
    ],
)  # fmt: skip
def test_scopes_tell_who_sent_it(scope, dialect):
    subset(span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}, scope=scope), dialect=dialect, step_kind="model")


def test_no_provider_is_a_framework():
    for name in ("microsoft.agent_framework", "gcp.vertex.agent", "strands-agents", "LiteLLM", "unknown"):
        subset(span({"gen_ai.operation.name": "chat", "gen_ai.provider.name": name}), provider=None)


def test_memory_of_strands():
    subset(span({"memory.id": "notes"}, scope="strands.memory", name="memory.search"), step_kind="memory", resource="notes")
