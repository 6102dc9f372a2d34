"""Hand-made telemetry in which the usual reading is wrong: Claude's counts as Anthropic counts them, through those that hand them on;
failures that only a tool's answer tells; several approvals at once; agents of several services in one run.
"""

import json
from typing import Any

from tests.sealed_flows import Row, span, spans_request
from tests.sealed_lake import Request

RESOURCE = {"service.name": "desk"}
CLAUDE = "claude-sonnet-4-5"
USAGE = {"input_tokens": 2000, "output_tokens": 50, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 500}
"""As Anthropic sends it: the whole input is 3,500."""


def call(flow: str, name: str, attributes: Row, scope: str, **fields: Any) -> Request:
    """One inference that is a trace of its own."""
    return spans_request(span(name, "call", 1, 2, trace=flow, attributes=attributes, **fields), scope=scope, resource=RESOURCE)


def vercel(flow: str, model: str, attributes: Row, metadata: Row) -> Request:
    provider, _, name = model.partition("/")
    sent = {"ai.operationId": "ai.streamText.doStream", "ai.model.provider": provider, "ai.model.id": name}
    sent |= {"ai.telemetry.metadata.sessionId": flow, "ai.response.providerMetadata": json.dumps(metadata)} | attributes
    return call(flow, "ai.streamText.doStream", sent, "ai")


def vercel_versions() -> list[Request]:
    """v4 has no names for cached tokens, v5 sends the provider's input, v6 the whole."""
    claude, v5 = f"anthropic.messages/{CLAUDE}", {"ai.usage.inputTokens": 2000, "ai.usage.outputTokens": 50, "ai.usage.totalTokens": 2050}
    cached = {"cacheReadInputTokens": 1000, "cacheCreationInputTokens": 500}
    v6 = {"ai.usage.inputTokens": 3500, "ai.usage.outputTokens": 50, "ai.usage.totalTokens": 3550, "ai.usage.cachedInputTokens": 1000}
    openai = {"ai.usage.promptTokens": 2000, "ai.usage.completionTokens": 150}
    bedrock = {"ai.usage.cachedInputTokens": 1000, "ai.request.headers.user-agent": "ai/5.0.60"}
    return [
        vercel("v4", claude, {"ai.usage.promptTokens": 2000, "ai.usage.completionTokens": 50}, {"anthropic": cached}),
        vercel("v5", claude, v5 | {"ai.usage.cachedInputTokens": 1000}, {"anthropic": {"usage": USAGE, "cacheCreationInputTokens": 500}}),
        vercel("v5b", f"amazon-bedrock/us.anthropic.{CLAUDE}", v5 | bedrock, {"bedrock": {"usage": {"cacheWriteInputTokens": 500}}}),
        vercel("v6", claude, v6, {"anthropic": {"usage": USAGE, "cacheCreationInputTokens": 500}}),
        vercel("v6d", claude, v6 | {"ai.usage.inputTokenDetails.noCacheTokens": 2000}, {"anthropic": cached}),
        vercel("v4o", "openai.chat/gpt-4o-mini", openai, {"openai": {"cachedPromptTokens": 1024, "reasoningTokens": 64}}),
    ]


def handed_on() -> list[Request]:
    """Frameworks that pass Anthropic's counts on, and a version of Logfire that does not."""
    answer = {"id": "msg_1", "type": "message", "model": CLAUDE, "stop_reason": "end_turn", "usage": USAGE}
    told = {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.output_tokens": 50, "gen_ai.request.model": CLAUDE}
    cached = {"gen_ai.usage.cache_read.input_tokens": 1000, "gen_ai.usage.cache_creation.input_tokens": 500}
    mlflow = {"mlflow.traceRequestId": '"tr-1"', "mlflow.spanType": '"CHAT_MODEL"', "mlflow.trace.session": '"mlflow"'}
    mlflow |= {"mlflow.message.format": '"anthropic"', "mlflow.chat.tokenUsage": json.dumps(USAGE | {"total_tokens": 2050})}
    mlflow |= {"mlflow.llm.provider": '"anthropic"', "mlflow.llm.model": f'"{CLAUDE}"', "mlflow.spanOutputs": json.dumps(answer)}
    framework = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.conversation.id": "framework"}
    logfire = {"logfire.span_type": "span", "gen_ai.system": "anthropic", "response_data": json.dumps({"message": {}, "usage": USAGE})}
    agno = {f"llm.token_count.{name}": count for name, count in (("prompt", 2000), ("completion", 50), ("total", 2050))}
    agno |= {"llm.token_count.prompt_details.cache_read": 1000, "llm.token_count.prompt_details.cache_write": 500}
    agno |= {"openinference.span.kind": "LLM", "llm.provider": "Anthropic", "llm.model_name": CLAUDE, "session.id": "agno"}
    message = "Message with {request_data[model]!r}"
    return [
        call("mlflow", "Messages.create", mlflow, "mlflow"),
        call("framework", f"chat {CLAUDE}", framework | told | cached, "agent_framework"),
        call("logfire", message, logfire | {"gen_ai.request.model": CLAUDE, "session.id": "logfire"}, "logfire.anthropic"),
        call("logfire2", message, logfire | told | {"gen_ai.usage.input_tokens": 3500, "session.id": "logfire2"}, "logfire.anthropic"),
        call("agno", "Claude.invoke", agno, "openinference.instrumentation.agno"),
    ]


def adk() -> list[Request]:
    """OpenInference in ADK's spans, which keep no content: counts by its names alone; the agent's name in the span's."""
    kind = "openinference.span.kind"
    ours = {"gcp.vertex.agent.invocation_id": "e-1", "gcp.vertex.agent.session_id": "adk", "gcp.vertex.agent.llm_response": "{}"}
    counts = {"llm.token_count.prompt": 1200, "llm.token_count.completion": 154, "llm.token_count.total": 1354}
    counts |= {"llm.token_count.completion_details.reasoning": 64, "llm.provider": "google", "llm.model_name": "gemini-2.5-flash"}
    spans = [
        span("invocation [app]", "run", 0, 9, trace="adk", attributes={kind: "CHAIN", "session.id": "adk"}),
        span("agent_run [planner]", "agent", 0, 9, trace="adk", parent="run", attributes={kind: "AGENT"}),
        span("call_llm", "call", 1, 2, trace="adk", parent="agent", attributes={kind: "LLM"} | ours | counts),
    ]
    return [spans_request(*spans, scope="openinference.instrumentation.google_adk", resource=RESOURCE)]


def tools() -> list[Request]:
    """Tools that told the model of a failure, which their frameworks dealt with: the spans' status is good."""
    strands = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.status": "error", "session.id": "strands"}
    answer = json.dumps({"output": {"type": "tool", "content": "Error: no route", "tool_call_id": "call_1", "status": "error"}})
    langsmith = {"langsmith.span.kind": "tool", "gen_ai.completion": answer, "langsmith.metadata.thread_id": "langsmith"}
    inference = {"openinference.span.kind": "TOOL", "tool.name": "find", "output.value": answer, "session.id": "inference"}
    return [
        call("strands", "execute_tool find", strands, "strands.telemetry.tracer", status_code=1),
        call("langsmith", "find", langsmith, "langsmith", status_code=1),
        call("inference", "find", inference, "openinference.instrumentation.langchain", status_code=1),
    ]


def approvals() -> list[Request]:
    """A run of Pydantic AI that asks for two approvals at once; a person grants one, denies the other, and it goes on in another trace."""
    asked = [{"tool_name": name, "args": "{}", "tool_call_id": call} for name, call in (("delete", "c1"), ("drop", "c2"))]
    said = [("c1", "delete", "The tool call was denied."), ("c2", "drop", "dropped")]
    parts = [{"type": "tool_call_response", "id": call, "name": name, "result": result} for call, name, result in said]
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "janitor", "gen_ai.conversation.id": "approvals"}
    resumed = {"pydantic_ai.new_message_index": 2, "pydantic_ai.all_messages": json.dumps([{"role": "user"}, {}, {"parts": parts}])}
    stopped = {"final_result": json.dumps({"calls": [], "approvals": asked})}
    spans = [
        span("invoke_agent janitor", "ask", 0, 2, trace="ask", attributes=agent | stopped),
        span("invoke_agent janitor", "answer", 60, 63, trace="answer", attributes=agent | resumed),
    ]
    return [spans_request(*spans, scope="pydantic-ai", resource=RESOURCE)]


def services() -> list[Request]:
    """A web request, the agent that it asks, and an agent of another service, of an older release, which that one asks."""

    def of(service: str, release: str, *spans: Row) -> Request:
        return spans_request(*spans, scope="agents", resource={"service.name": service, "service.version": release})

    def step(operation: str, identity: str, begin: float, end: float, parent: str, **more: Any) -> Row:
        attributes = {f"gen_ai.{name.replace('__', '.')}": value for name, value in more.items()} | {"gen_ai.operation.name": operation}
        return span(operation, identity, begin, end, trace="services", parent=parent, attributes=attributes)

    counts: Row = {"request__model": "gpt-4o-mini", "provider__name": "openai", "usage__input_tokens": 100, "usage__output_tokens": 10}
    totals: Row = {"usage__input_tokens": 200, "usage__output_tokens": 20}
    web = span("POST /chat", "web", 0, 10, trace="services", attributes={"enduser.id": "ann"}, kind=2)
    main = step("invoke_agent", "main", 0.1, 9, "web", agent__name="main", conversation__id="services", **totals)
    other = step("invoke_agent", "other", 3, 5, "main", agent__name="other", conversation__id="a-conversation-of-its-own")
    return [
        of("web", "v0", web), of("main", "v2", main, step("chat", "c1", 1, 2, "main", **counts)),
        of("other", "v1", other, step("chat", "c2", 3, 4, "other", **counts)),
    ]  # fmt: skip
