"""Hand-made telemetry of frameworks, span by span as their instrumentations write it: the weather agent, two calls and a tool each.

As in the captures, every chat call was served with 1,200 input tokens, 1,024 of them cached, and 90 output tokens, 64 of them reasoning.
"""

import json
from typing import Any

from tests.sealed_flows import Row, span, spans_request
from tests.sealed_lake import Request

MODEL = "gpt-4o-mini"
ANSWERED = "gpt-4o-mini-2024-07-18"
RESOURCE = {"service.name": "weather-service"}


def adk() -> list[Request]:
    """Google ADK through LiteLLM: output tokens have the reasoning twice; one invocation over two traces; a transfer to another agent."""

    def call(identity: str, trace: str, begin: float, parent: str, finish: str) -> list[Row]:
        usage = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 154, "gen_ai.usage.reasoning.output_tokens": 64}
        asked = {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": f"openai/{MODEL}", **usage}
        ids = {"gcp.vertex.agent.invocation_id": "e-77", "gcp.vertex.agent.session_id": "adk", "gcp.vertex.agent.event_id": identity}
        told = {"prompt_token_count": 1200, "candidates_token_count": 90, "thoughts_token_count": 64, "total_token_count": 1290}
        answer = {"model_version": ANSWERED, "finish_reason": finish, "usage_metadata": told | {"cached_content_token_count": 1024}}
        content = {"gcp.vertex.agent.llm_request": "{}", "gcp.vertex.agent.llm_response": json.dumps(answer)}
        inner = {"gen_ai.operation.name": "generate_content", "gen_ai.agent.name": "weather_agent", **asked, **ids}
        return [
            span("call_llm", identity, begin, begin + 1, trace=trace, parent=parent, attributes={**asked, **ids, **content}),
            span(f"generate_content {MODEL}", f"{identity}g", begin, begin + 1, trace=trace, parent=identity, attributes=inner),
        ]

    def agent(name: str, identity: str, trace: str, begin: float, end: float, parent: str) -> Row:
        named = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name, "gen_ai.conversation.id": "adk"}
        return span(f"invoke_agent {name}", identity, begin, end, trace=trace, parent=parent, attributes=named)

    def tool(name: str, identity: str, trace: str, begin: float, parent: str, arguments: Row) -> Row:
        told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": "<not specified>"}
        told |= {"gcp.vertex.agent.tool_call_args": json.dumps(arguments), "gcp.vertex.agent.llm_response": "{}"}
        return span(f"execute_tool {name}", identity, begin, begin + 0.5, trace=trace, parent=parent, attributes=told)

    spans = [
        span("invocation", "root1", 0, 4, trace="adk1"), agent("weather_agent", "agent1", "adk1", 0, 4, "root1"),
        *call("llm1", "adk1", 0.5, "agent1", "STOP"), tool("get_weather", "tool1", "adk1", 1, "llm1", {"city": "Paris"}),
        tool("(merged tools)", "merged", "adk1", 1.6, "llm1", {}),
        tool("transfer_to_agent", "tool2", "adk1", 2, "llm1", {"agent_name": "billing_agent"}),
        span("invocation", "root2", 10, 12, trace="adk2"), agent("billing_agent", "agent2", "adk2", 10, 12, "root2"),
        *call("llm2", "adk2", 10.5, "agent2", "FinishReason.STOP"),
    ]  # fmt: skip
    return [spans_request(*spans, scope="gcp.vertex.agent", resource=RESOURCE)]


def vercel() -> list[Request]:
    """The AI SDK before v7: the outer span repeats the totals."""
    metadata = {"ai.telemetry.functionId": "weather_agent", "ai.telemetry.metadata.sessionId": "vercel"}
    metadata |= {"ai.telemetry.metadata.userId": "user-1", "ai.telemetry.metadata.tenant": "acme"}
    total = {"ai.usage.promptTokens": 2400, "ai.usage.completionTokens": 180, "ai.response.finishReason": "stop"}

    def inner(identity: str, begin: float, finish: str) -> Row:
        told = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": MODEL, "ai.model.provider": "openai.chat", **metadata}
        told |= {"ai.usage.promptTokens": 1200, "ai.usage.completionTokens": 90, "ai.usage.totalTokens": 1290}
        told |= {"ai.usage.cachedInputTokens": 1024, "ai.usage.reasoningTokens": 64, "ai.response.finishReason": finish}
        told |= {"ai.response.id": f"chatcmpl-{identity}", "ai.response.model": ANSWERED, "gen_ai.system": "openai"}
        return span("ai.generateText.doGenerate", identity, begin, begin + 1, trace="vercel", parent="outer", attributes=told)

    outer = {"ai.operationId": "ai.generateText", "ai.model.id": MODEL, "ai.model.provider": "openai.chat", **metadata, **total}
    called = {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "get_weather", "ai.toolCall.id": "call_1", "ai.toolCall.args": "{}"}
    spans = [
        span("ai.generateText", "outer", 0, 5, trace="vercel", attributes=outer), inner("v1", 0, "tool-calls"),
        span("ai.toolCall", "tool", 1.5, 2, trace="vercel", parent="outer", attributes=called), inner("v2", 3, "stop"),
    ]  # fmt: skip
    return [spans_request(*spans, scope="ai", resource=RESOURCE)]


def openllmetry() -> list[Request]:
    """Legacy OpenLLMetry: indexed attributes, a managed prompt, a search in a vector database, a guardrail."""
    flow = {"traceloop.workflow.name": "weather_flow", "traceloop.association.properties.session_id": "openllmetry"}
    flow |= {"traceloop.association.properties.user_id": "user-1"}

    def call(identity: str, begin: float, finish: str) -> Row:
        told = {**flow, "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": MODEL, "traceloop.prompt.version": 7}
        told |= {"gen_ai.response.model": ANSWERED, "gen_ai.usage.prompt_tokens": 1200, "gen_ai.usage.completion_tokens": 90}
        told |= {"llm.usage.total_tokens": 1290, "gen_ai.usage.cache_read_input_tokens": 1024, "gen_ai.usage.reasoning_tokens": 64}
        told |= {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Weather?", "gen_ai.completion.0.finish_reason": finish}
        return span("openai.chat", identity, begin, begin + 1, trace="traceloop", parent="agent", attributes=told)

    def entity(kind: str, name: str, identity: str, begin: float, end: float, parent: str | None) -> Row:
        told = {**flow, "traceloop.span.kind": kind, "traceloop.entity.name": name, "traceloop.entity.input": "{}"}
        return span(f"{name}.{kind}", identity, begin, end, trace="traceloop", parent=parent, attributes=told)

    found = [("db.query.result", {"db.query.result.id": f"doc-{number}", "db.query.result.distance": 0.1}) for number in (1, 2)]
    search = {**flow, "db.system": "chroma", "db.operation": "query"}
    guard = {**flow, "gen_ai.guardrail.name": "pii", "gen_ai.guardrail.status": "FAILED"}
    spans = [
        entity("workflow", "weather_flow", "flow", 0, 9, None), entity("agent", "weather_agent", "agent", 0, 8, "flow"),
        call("c1", 1, "tool_calls"), entity("tool", "get_weather", "tool", 2, 3, "agent"), call("c2", 4, "stop"),
        span("chroma.query", "search", 5, 6, trace="traceloop", parent="agent", attributes=search, events=found),
        span("pii.guard", "guard", 6, 7, trace="traceloop", parent="agent", attributes=guard),
    ]  # fmt: skip
    return [spans_request(*spans, scope="opentelemetry.instrumentation.openai.v1", resource=RESOURCE)]


def agent_framework() -> list[Request]:
    """Microsoft Agent Framework: a workflow that was built in a trace of its own, agents that repeat the totals."""
    usage = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90}
    ids = {"gen_ai.conversation.id": "framework"}

    def call(identity: str, begin: float, finish: str) -> Row:
        told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": MODEL, **usage, **ids}
        told |= {"gen_ai.response.model": ANSWERED, "gen_ai.response.id": identity, "gen_ai.response.finish_reasons": json.dumps([finish])}
        return span(f"chat {MODEL}", identity, begin, begin + 1, trace="framework", parent="agent", attributes=told)

    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "microsoft.agent_framework", "gen_ai.agent.name": "weather"}
    agent |= {"gen_ai.agent.id": "unknown", "gen_ai.usage.input_tokens": 2400, "gen_ai.usage.output_tokens": 180, **ids}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather", "gen_ai.tool.call.id": "unknown"}
    handoff = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "handoff_to_billing", "gen_ai.tool.call.id": "call_2"}
    run = {"workflow.id": "w-1", "workflow.name": "weather_flow"}
    spans = [
        span("workflow.build", "build", -9, -8, trace="built", attributes=run),
        span("workflow.run", "run", 0, 9, trace="framework", attributes=run),
        span("executor.process weather", "exec", 0, 8, trace="framework", parent="run", attributes={"executor.id": "weather"}),
        span("invoke_agent weather", "agent", 0, 7, trace="framework", parent="exec", attributes=agent),
        call("a1", 1, "tool_calls"), call("a2", 4, "stop"),
        span("execute_tool get_weather", "tool", 2, 3, trace="framework", parent="agent", attributes=tool),
        span("execute_tool handoff_to_billing", "hand", 6, 6.5, trace="framework", parent="agent", attributes=handoff),
        span("message.send", "send", 8, 8.1, trace="framework", parent="exec", attributes={"message.type": "str"}),
    ]  # fmt: skip
    return [spans_request(*spans, scope="agent_framework", resource=RESOURCE)]


def semantic_kernel() -> list[Request]:
    """Semantic Kernel: operations and finish reasons by names of its own."""

    def call(identity: str, begin: float, finish: str) -> Row:
        told = {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.system": "openai",
            "gen_ai.request.model": MODEL,
            "session.id": "kernel",
        }
        told |= {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90, "gen_ai.response.finish_reason": finish}
        return span(f"chat.completions {MODEL}", identity, begin, begin + 1, trace="kernel", parent="loop", attributes=told)

    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather_agent", "session.id": "kernel"}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather-get_weather"}
    spans = [
        span("invoke_agent weather_agent", "agent", 0, 8, trace="kernel", attributes=agent),
        span("AutoFunctionInvocationLoop", "loop", 0, 7, trace="kernel", parent="agent", attributes={"sk.available_functions": "[]"}),
        call("k1", 1, "FinishReason.TOOL_CALLS"), call("k2", 4, "FinishReason.STOP,FinishReason.STOP"),
        span("execute_tool weather-get_weather", "tool", 2, 3, trace="kernel", parent="loop", attributes=tool),
    ]  # fmt: skip
    return [spans_request(*spans, scope="semantic_kernel.utils.telemetry.model_diagnostics.decorators", resource=RESOURCE)]


def execution_tokens() -> list[Request]:
    """Steps that say which tokens were input and which output, and some that only say how many."""
    events: list[tuple[str, Row]] = [
        ("step.1.llm_call", {"step.input_tokens": 1200, "step.output_tokens": 90, "step.tokens": 1290, "step.model": MODEL}),
        ("step.2.embed_query", {"step.tokens": 8}), ("step.3.search", {"step.tool": "web_search", "step.input_tokens": 40}),
        ("step.4.chat", {"step.tokens": 900}),
    ]  # fmt: skip
    told = {"agent.name": "planner", "agent.succeeded": True, "session.id": "execution-tokens"}
    outer = span("agent.execution.55c0", "tokens", 20, 30, trace="execution-tokens", attributes=told, events=events)
    return [spans_request(outer, scope="agents", resource=RESOURCE)]


def execution() -> list[Request]:
    """One span a run; its steps are its events."""
    events: list[tuple[str, Row]] = [
        ("step.1.plan", {"step.duration_ms": 20.0, "step.tokens": 300}),
        ("step.2.search", {"step.tool": "web_search", "step.duration_ms": 150, "step.tokens": 40}),
        ("note", {"text": "no step"}),
        ("step.3.llm_call", {"step.duration_ms": "400", "step.tokens": 900}),
        ("step.10.write", {"step.tool": "files", "step.duration_ms": 5, "step.error": "disk is full"}),
    ]
    told = {"agent.name": "planner", "agent.succeeded": False, "session.id": "execution"}
    outer = span("agent.execution.7f3a91", "exec", 0, 10, trace="execution", attributes=told, events=events)
    nested = span("agent.execution.99bb", "sub", 1, 2, trace="execution", parent="exec", attributes={"agent.succeeded": True})
    name, request = spans_request(outer, nested, scope="agents", resource=RESOURCE)
    sent = request.resource_spans[0].scope_spans[0].spans[0]
    for number, event in enumerate(sent.events):
        event.time_unix_nano = sent.start_time_unix_nano + (number + 1) * 1_000_000_000
    return [(name, request)]


def logfire() -> list[Request]:
    """Logfire's instrumentation of OpenAI: a call, and a streamed one, whose answer is a record of its own."""
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Weather?"}]}
    usage = {"prompt_tokens": 1200, "completion_tokens": 90, "total_tokens": 1290, "prompt_tokens_details": {"cached_tokens": 1024}}
    answer = {"message": {"content": "sunny"}, "usage": usage | {"completion_tokens_details": {"reasoning_tokens": 64}}}
    common: dict[str, Any] = {
        "gen_ai.system": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.operation.name": "chat",
        "session.id": "logfire",
    }
    whole = {**common, "request_data": json.dumps(asked), "response_data": json.dumps(answer), "gen_ai.response.model": ANSWERED}
    whole |= {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90, "logfire.span_type": "span"}
    begun = {**common, "request_data": json.dumps(asked | {"stream": True}), "logfire.span_type": "span"}
    streamed = {**begun, "response_data": json.dumps(answer), "duration": 2.5, "logfire.span_type": "log"}
    marker = {**common, "logfire.span_type": "pending_span", "logfire.pending_parent_id": "0" * 16}
    stream = "streaming response from {request_data[model]!r} took {duration:.2f}s"
    chat, named = "Chat Completion with {request_data[model]!r}", {"logfire.span_type": "span", "session.id": "logfire"}
    spans = [
        span("weather", "root", 0, 9, trace="logfire", attributes=named),
        span("weather (pending)", "p1", 0, 0, trace="logfire", parent="root", attributes=named | marker),
        span(f"{chat} (pending)", "p2", 1, 1, trace="logfire", parent="l1", attributes=marker),
        span(chat, "l1", 1, 2, trace="logfire", parent="root", attributes=whole),
        span(chat, "l2", 3, 3.1, trace="logfire", parent="root", attributes=begun),
        span(stream, "l3", 5.6, 5.6, trace="logfire", parent="root", attributes=streamed),
    ]  # fmt: skip
    return [spans_request(*spans, scope="logfire.openai", resource=RESOURCE)]


def logfire_agents() -> list[Request]:
    """The OpenAI Agents SDK through Logfire, cut off before its root ended: only start markers tell of it."""
    common = {"gen_ai.system": "openai", "session.id": "agents"}
    call = {**common, "gen_ai.request.model": MODEL, "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90}
    guard, handoff = common | {"name": "pii", "triggered": True}, common | {"to_agent": "billing"}
    marker = {**common, "name": "weather_flow", "logfire.span_type": "pending_span", "logfire.pending_parent_id": "0" * 16}
    spans = [
        span("OpenAI Agents trace: {name} (pending)", "p1", 0, 0, trace="agents", parent="root", attributes=marker),
        span("Agent run: {name!r}", "agent", 0, 5, trace="agents", parent="root", attributes=common | {"name": "weather_agent"}),
        span("Responses API with {gen_ai.request.model!r}", "call", 1, 2, trace="agents", parent="agent", attributes=call),
        span("Function: {name}", "tool", 2, 3, trace="agents", parent="agent", attributes=common | {"name": "get_weather", "input": "{}"}),
        span("Guardrail {name!r} {triggered=}", "guard", 3, 4, trace="agents", parent="agent", attributes=guard),
        span("Handoff: {from_agent} → {to_agent}", "hand", 4, 5, trace="agents", parent="agent", attributes=handoff),
    ]  # fmt: skip
    return [spans_request(*spans, scope="logfire.openai_agents", resource=RESOURCE)]


def memory() -> list[Request]:
    """Operations of a memory by OpenTelemetry's GenAI conventions."""
    store = {"gen_ai.memory.store.id": "notes", "session.id": "memory"}
    record = {"gen_ai.memory.record.id": "m-1"}
    spans = [
        span("search_memory", "m1", 0, 1, trace="memory", attributes=store | record | {"gen_ai.operation.name": "search_memory"}),
        span("update_memory", "m2", 1, 2, trace="memory", attributes=store | record | {"gen_ai.operation.name": "update_memory"}),
        span("create_memory_store", "m3", 2, 3, trace="memory", attributes=store | {"gen_ai.operation.name": "create_memory_store"}),
    ]
    return [spans_request(*spans, scope="memories", resource=RESOURCE)]
