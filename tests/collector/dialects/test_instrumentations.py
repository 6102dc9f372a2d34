"""Spans as instrumentations and gateways write them that share the names of a convention and mean them differently."""

import json

import pytest

from collector import dialects
from collector.dialects.normalise import provider
from collector.dialects.record import SpanView
from storage.messages import conversation
from storage.runs import reconstruct
from tests.collector.dialects.frameworks import ANSWERED, MODEL, RESOURCE
from tests.collector.dialects.test_conventions import subset
from tests.sealed_flows import Flows, Row, logs_request, record, span, spans_request, told
from tests.sealed_lake import Request

USAGE = {"gen_ai.usage.prompt_tokens": 1200, "gen_ai.usage.completion_tokens": 90, "llm.usage.total_tokens": 1290}
MODELS = {"gen_ai.request.model": MODEL, "gen_ai.response.model": ANSWERED}
COUNTS = {"llm.token_count.prompt": 1200, "llm.token_count.completion": 90, "llm.token_count.total": 1290}
LLM = {"openinference.span.kind": "LLM", "llm.model_name": MODEL, **COUNTS}


def read(attributes: Row, *, scope: str = "scope", name: str = "step", is_root: bool = False, failed: bool = False, **fields) -> Row:
    return dialects.read_span(SpanView(scope, name, attributes, {}, is_root, failed, **fields))


def gateway() -> list[Request]:
    """An application that calls through LiteLLM's proxy: two calls, one of which it tells itself, each with a guardrail."""
    who = {"metadata.user_api_key_user_id": "key-owner", "metadata.user_api_key_end_user_id": "user-1"}
    who |= {"metadata.user_api_key_team_id": "acme", "metadata.user_api_key_org_id": "", "session.id": "gateway"}

    def request(number: int, begin: float, finish: str) -> list[Row]:
        sent = {**who, **MODELS, "llm.request.type": "acompletion", "gen_ai.operation.name": "acompletion", "gen_ai.system": "openai"}
        sent |= {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90, "gen_ai.usage.total_tokens": 1290}
        sent |= {"gen_ai.response.id": f"chatcmpl-{number}", "gen_ai.response.finish_reasons": json.dumps([finish])}
        sent |= {"gen_ai.cost.total_cost": 0.000234}
        guard = {"openinference.span.kind": "GUARDRAIL", "guardrail_name": "pii", "guardrail_status": "guardrail_intervened"}
        ids = [f"{kind}{number}" for kind in ("proxy", "call", "raw", "guard")]
        return [
            span("Received Proxy Server Request", ids[0], begin, begin + 2, trace="gateway", parent="app"),
            span("litellm_request", ids[1], begin, begin + 2, trace="gateway", parent=ids[0], attributes=sent),
            span("raw_gen_ai_request", ids[2], begin, begin + 2, trace="gateway", parent=ids[1], attributes={"llm.openai.model": MODEL}),
            span("guardrail", ids[3], begin, begin + 0.1, trace="gateway", parent=ids[1], attributes=guard),
        ]

    own = {**MODELS, "gen_ai.operation.name": "chat", "gen_ai.response.id": "chatcmpl-1", "gen_ai.provider.name": "openai", **USAGE}
    app = [span("job", "app", 0, 9, trace="gateway"), span(f"chat {MODEL}", "own", 0, 2.1, trace="gateway", parent="app", attributes=own)]
    told_by = {"gen_ai.system": "openai", "event_name": "gen_ai.content.prompt", "gen_ai.prompt": "Weather?"}
    event = record(told_by, 5.1, trace="gateway", inside="call2", body={"role": "user", "content": "Weather?"})
    return [
        spans_request(*request(1, 0, "tool_calls"), *request(2, 5, "stop"), scope="litellm", resource={"service.name": "litellm"}),
        spans_request(*app, scope="app", resource=RESOURCE),
        logs_request(event, scope="litellm", resource={"service.name": "litellm"}),
    ]


def crew() -> list[Request]:
    """CrewAI under OpenLLMetry: its calls know no tokens; one of them was made with a client that is instrumented too."""
    scope, agent = "opentelemetry.instrumentation.crewai.instrumentation", {"traceloop.span.kind": "agent", "gen_ai.request.model": MODEL}
    spans = [
        span("crewai.workflow", "flow", 0, 9, trace="crew", attributes={"gen_ai.system": "crewai", "session.id": "crew"}),
        span("Researcher.agent", "agent", 0, 8, trace="crew", parent="flow", attributes=agent),
        span(f"{MODEL}.llm", "c1", 1, 2, trace="crew", parent="agent"), span(f"{MODEL}.llm", "c2", 3, 4, trace="crew", parent="agent"),
    ]  # fmt: skip
    client = {"llm.request.type": "chat", "gen_ai.system": "openai", **MODELS, **USAGE}
    inner = span("openai.chat", "o1", 1, 2, trace="crew", parent="c1", attributes=client)
    return [spans_request(*spans, scope=scope, resource=RESOURCE), spans_request(inner, scope="openai.v1", resource=RESOURCE)]


def permissions() -> list[Request]:
    """Claude Code's spans without its log records: what a permission is about stands on the tool around it."""
    spans = [span("claude_code.interaction", "asked", 0, 9, trace="code", attributes={"span.type": "interaction", "session.id": "code"})]
    for number, (decision, source) in enumerate([("accept", "user_temporary"), ("accept", "config")]):
        tool = {"span.type": "tool", "tool_name": "Bash", "tool_use_id": f"toolu_{number}"}
        asked = {"span.type": "tool.blocked_on_user", "decision": decision, "source": source}
        begin, of_tool = 2 * number + 1, {"trace": "code", "parent": f"tool{number}"}
        done = {"span.type": "tool.execution"}
        spans += [
            span("claude_code.tool", f"tool{number}", begin, begin + 1, trace="code", parent="asked", attributes=tool),
            span("claude_code.tool.blocked_on_user", f"wait{number}", begin, begin + 0.5, **of_tool, attributes=asked),
            span("claude_code.tool.execution", f"run{number}", begin + 0.5, begin + 1, **of_tool, attributes=done),
        ]
    event = {"event.name": "user_prompt", "prompt_length": "8", "session.id": "code", "prompt.id": "p-1"}
    unsaid = record(event, 0.1, trace="code", inside="asked", body="claude_code.user_prompt")
    answer = {"mlflow.spanType": '"TOOL"', "mlflow.traceRequestId": '"tr-1"', "mlflow.spanOutputs": '"sunny"', "session.id": "mlflow"}
    return [
        spans_request(*spans, scope="com.anthropic.claude_code.tracing", resource=RESOURCE),
        logs_request(unsaid, scope="com.anthropic.claude_code.events", resource=RESOURCE),
        spans_request(span("get_weather", "tool", 0, 1, trace="mlflow", attributes=answer), scope="mlflow", resource=RESOURCE),
    ]


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    return Flows(tmp_path_factory.mktemp("instrumentations") / "data", gateway(), crew(), permissions())


def test_calls_through_a_gateway_are_counted_once_and_say_for_whom_they_were(flows: Flows) -> None:
    told(flows.run("gateway"), model_calls=2, input_tokens=2400, output_tokens=180, actor="user-1", tenant="acme", tool_calls=0)
    calls = flows.of(flows.calls, "gateway")
    assert [(call["response_id"], call["counted"]) for call in calls] == [("chatcmpl-1", True), ("chatcmpl-1", False), ("chatcmpl-2", True)]
    told(calls[2], operation="chat", sent_cost_usd=0.000234, finish_reason="stop")
    assert [row["decision"] for row in flows.of(flows.policies, "gateway")] == ["deny", "deny"]


def test_a_log_record_may_name_its_event_in_an_attribute_alone(flows: Flows) -> None:
    story = reconstruct(flows.lake, flows.run("gateway")["run_id"])
    assert story is not None
    assert [(step["kind"], step["name"]) for step in story["steps"] if step["source"] == "event"] == [("message", "gen_ai.content.prompt")]
    assert [message["parts"][0]["text"] for message in conversation(story["steps"])] == ["Weather?"]


def test_a_crews_calls_are_calls_also_where_nobody_knows_their_tokens(flows: Flows) -> None:
    told(flows.run("crew"), model_calls=2, input_tokens=1200, agent_name="Researcher")
    assert [call["counted"] for call in flows.of(flows.calls, "crew")] == [False, True, True]


def test_a_permission_is_about_the_tool_in_whose_span_it_was_given(flows: Flows) -> None:
    (given,) = flows.of(flows.approvals, "code")
    told(given, tool_name="Bash", tool_call_id="toolu_0", action="Bash", approval_state="granted")
    authorized = flows.of(flows.read("SELECT * FROM tool_authorizations ORDER BY time"), "code")
    assert [(row["approval_state"], row["approval_problem"], row["policy_decision"]) for row in authorized] == [
        ("granted", None, None),
        (None, "no approval of it before it ran", "allow"),
    ]


def test_what_was_not_recorded_is_not_said(flows: Flows) -> None:
    story = reconstruct(flows.lake, flows.run("code")["run_id"])
    assert story is not None
    assert conversation(story["steps"]) == []


def test_text_that_was_sent_as_json_is_shown_as_text(flows: Flows) -> None:
    assert [row["result"] for row in flows.of(flows.tools, "mlflow")] == ["sunny"]


@pytest.mark.parametrize(
    ("call_type", "operation", "kind"),
    [
        ("acompletion", "chat", "model"),
        ("aresponses", "chat", "model"),
        ("anthropic_messages", "chat", "model"),
        ("atext_completion", "text_completion", "model"),
        ("agenerate_content", "generate_content", "model"),
        ("aembedding", "embeddings", "model"),
        ("aimage_generation", "image_generation", "model"),
        ("arerank", "retrieval", "retrieval"),
    ],
)
def test_every_call_of_a_gateway_is_one_whatever_its_name(call_type, operation, kind):
    subset(read({"llm.request.type": call_type, "gen_ai.system": "openai"}, is_root=True), operation=operation, step_kind=kind)


def test_an_embedding_has_no_output():
    sent = {"llm.request.type": "aembedding", "gen_ai.usage.input_tokens": 8, "gen_ai.usage.output_tokens": 0}
    assert "output_tokens" not in read(sent)


@pytest.mark.parametrize("kind", ["task", "workflow"])
def test_calls_of_llama_index_stand_in_the_span_of_a_task(kind):
    call = {"traceloop.span.kind": kind, "traceloop.entity.name": f"OpenAI.{kind}", **MODELS, **USAGE}
    subset(read(call, name=f"OpenAI.{kind}", is_root=kind == "workflow"), step_kind="model", operation="chat", input_tokens=1200)


def test_a_task_that_only_names_its_model_is_no_call():
    subset(read({"traceloop.span.kind": "task", "gen_ai.request.model": MODEL}), step_kind="other", operation="task")


@pytest.mark.parametrize("entity", [{"traceloop.entity.name": "get_weather.tool"}, {}])
def test_the_name_of_a_tool_is_without_its_kind(entity):
    subset(read({"traceloop.span.kind": "tool", **entity}, name="get_weather.tool"), tool_name="get_weather", step_kind="tool")


@pytest.mark.parametrize(
    ("name", "agent"),
    [("CodeAgent.run", "CodeAgent"), ("Agent.arun", "Agent"), ("Researcher._execute_core", "Researcher"), ("agent v1.2", "agent v1.2")],
)
def test_an_agent_is_not_named_after_the_method_that_ran_it(name, agent):
    assert read({"openinference.span.kind": "AGENT"}, name=name)["agent_name"] == agent


def test_a_tool_without_a_name_is_called_like_its_span():
    assert read({"openinference.span.kind": "TOOL"}, name="get_weather")["tool_name"] == "get_weather"


@pytest.mark.parametrize("wrap", [lambda message: message, lambda message: {"output": message}, lambda message: {"kwargs": message}])
def test_a_tools_answer_tells_which_call_it_answers(wrap):
    answer = json.dumps(wrap({"type": "tool", "content": "sunny", "tool_call_id": "call_1"}))
    assert read({"openinference.span.kind": "TOOL", "output.value": answer}, name="t")["tool_call_id"] == "call_1"


def test_filling_in_a_prompt_is_no_call():
    subset(read({"openinference.span.kind": "LLM"}, name="PromptBuilder.run"), step_kind="other", operation="prompt")
    subset(read({"openinference.span.kind": "LLM", "llm.prompt_template.variables": "{}"}, name="x"), step_kind="other")
    subset(read({"openinference.span.kind": "LLM", "llm.prompt_template.variables": "{}"}, failed=True), step_kind="model")
    subset(read({**LLM, "llm.prompt_template.variables": "{}"}, name="PromptBuilder.run"), step_kind="model")


@pytest.mark.parametrize(
    ("answer", "reason", "response_id"),
    [
        ({"id": "chatcmpl-1", "choices": [{"finish_reason": "tool_calls", "index": 0}]}, "tool_calls", "chatcmpl-1"),
        ({"id": "msg_1", "type": "message", "stop_reason": "end_turn"}, "stop", "msg_1"),
        ({"id": "resp_1", "object": "response", "status": "completed", "output": [{"type": "function_call"}]}, "tool_calls", "resp_1"),
        ({"id": "resp_2", "object": "response", "status": "completed", "output": [{"type": "message"}]}, "stop", "resp_2"),
        ({"id": "resp_3", "object": "response", "status": "incomplete", "output": []}, "length", "resp_3"),
        ({"candidates": [{"finishReason": "MAX_TOKENS"}], "responseId": "r-1"}, "length", "r-1"),
    ],
)
def test_the_answer_tells_why_it_finished(answer, reason, response_id):
    subset(read({**LLM, "output.value": json.dumps(answer)}), finish_reason=reason, response_id=response_id, input_tokens=1200)


def test_names_of_openinference_on_anothers_spans_hide_nothing():
    own = {"gen_ai.usage.details.cached_tokens": 1024, "gen_ai.response.id": "r-1", "gen_ai.conversation.id": "c-1"}
    subset(read(LLM | own), cache_read_tokens=1024, response_id="r-1", session_id="c-1", dialect="openinference")
    asked = {"approvals": [{"tool_call_id": "call_9", "tool_name": "delete_file"}]}
    agent = {"openinference.span.kind": "AGENT", "gen_ai.agent.name": "files", "agent_name": "files", "model_name": MODEL}
    found = read(agent | {"final_result": json.dumps(asked)}, scope="pydantic-ai", name="agent run")
    subset(found, dialect="pydantic-ai", approval_state="requested", tool_name="delete_file", agent_name="files")


@pytest.mark.parametrize(("tripped", "decision"), [(True, "deny"), ("False", "allow")])
def test_a_guardrail_that_was_triggered_denied(tripped, decision):
    sent = {"gen_ai.operation.name": "guardrail_check", "gen_ai.guardrail.name": "pii", "gen_ai.guardrail.triggered": tripped}
    subset(read(sent), step_kind="policy", operation="guardrail", decision=decision)


def test_a_models_name_tells_the_provider_that_nothing_else_does():
    assert read(LLM | {"llm.model_name": f"openai/{MODEL}"})["provider"] == "openai"
    assert read(LLM | {"llm.model_name": "us.anthropic.claude-sonnet-4-20250514-v1:0"})["provider"] == "aws.bedrock"
    assert not {"provider"} & (read(LLM | {"llm.model_name": "my-team/model"}).keys() | read(LLM | {"llm.model_name": "gpt-4.1"}).keys())


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("AWS", "aws.bedrock"),
        ("openrouter.chat", "openrouter"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("azure.ai.agents", "azure.ai.agents"),
        ("my.gateway", "my.gateway"),
    ],
)
def test_providers_have_one_spelling(sent, name):
    assert provider(sent) == name


@pytest.mark.parametrize("sent", ["ToolCalls", '["ToolCalls"]', "FinishReason.TOOL_CALLS", "tool-calls", "toolUse"])
def test_a_finish_reason_is_one_in_every_language(sent):
    assert read({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reason": sent})["finish_reason"] == "tool_calls"


def test_the_path_of_a_class_is_no_response_id():
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "AIMessage"],
        "kwargs": {"response_metadata": {"id": "chatcmpl-1"}},
    }
    answer = json.dumps({"generations": [[{"message": message}]]})
    assert read({"langsmith.span.kind": "llm", "gen_ai.completion": answer})["response_id"] == "chatcmpl-1"


@pytest.mark.parametrize(("attributes", "state"), [({"mcp.elicitation.action": "accept"}, "granted"), ({}, None)])
def test_who_was_asked_may_tell_the_answer(attributes, state):
    found = read({"mcp.method.name": "elicitation/create", **attributes}, kind=2)
    assert (found["step_kind"], found.get("approval_state")) == ("other" if state is None else "approval", state)


def test_a_langchain_model_under_mlflow_was_asked_for_in_its_parameters():
    call = {"mlflow.spanType": '"CHAT_MODEL"', "invocation_params": json.dumps({"model": MODEL, "_type": "openai-chat"})}
    subset(read(call), model_requested=MODEL, step_kind="model")


def test_the_oldest_span_events_tell_why_a_call_finished():
    completion = ("gen_ai.content.completion", {"gen_ai.completion": json.dumps([{"role": "assistant", "finish_reason": "tool_call"}])})
    assert read({"gen_ai.operation.name": "chat"}, events=[completion])["finish_reason"] == "tool_calls"


def test_a_call_that_was_sent_again_counts_once_in_every_view(tmp_path) -> None:
    call = {"gen_ai.operation.name": "chat", "session.id": "again", **MODELS, **USAGE}
    spans = [span(f"chat {MODEL}", identity, begin, begin + 1, trace="again", attributes=call) for identity, begin in (("a", 0), ("b", 2))]
    request = spans_request(*spans, scope="app", resource=RESOURCE)
    sent = Flows(tmp_path / "data", [request, spans_request(spans[0], scope="app", resource=RESOURCE)], [request])
    told(sent.run("again"), model_calls=2, input_tokens=2400, output_tokens=180)
    assert sum(call["counted"] for call in sent.calls) == 2
