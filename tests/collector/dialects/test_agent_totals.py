"""Frameworks that tell what their calls took on the agent alone: known once, and never beside the calls."""

import pytest

from tests.sealed_flows import Flows, Row, logs_request, record, span, spans_request, told
from tests.sealed_lake import Request

RESOURCE = {"service.name": "desk"}
USAGE = {"input_tokens": 1200, "output_tokens": 90, "cached_input_tokens": 1024, "reasoning_output_tokens": 64, "total_tokens": 1290}


def claude_agent_sdk() -> list[Request]:
    """OpenInference's instrumentation: no model spans, a subagent; Anthropic's input leaves cached tokens out, and so does the total."""
    usage = {"llm.token_count.prompt": 1176, "llm.token_count.completion": 90, "llm.token_count.total": 1266}
    usage |= {"llm.token_count.prompt_details.cache_read": 1000, "llm.token_count.prompt_details.cache_write": 24, "llm.cost.total": 0.0125}
    root = {"openinference.span.kind": "AGENT", "session.id": "claude", "llm.model_name": "claude-sonnet-4-5", "llm.system": "anthropic"}
    inner = {"openinference.span.kind": "AGENT", "session.id": "claude", "agent.name": "reviewer"}
    tool = {"openinference.span.kind": "TOOL", "session.id": "claude", "input.value": '{"path": "a"}'}
    spans = [
        span("ClaudeAgentSDK.query", "root", 0, 9, trace="claude", attributes=root | usage),
        span("Task", "task", 1, 5, trace="claude", parent="root", attributes=tool | {"tool.name": "Task"}),
        span("Subagent", "sub", 1, 5, trace="claude", parent="task", attributes=inner),
        span("Read", "read", 2, 3, trace="claude", parent="sub", attributes=tool | {"tool.name": "Read"}),
    ]  # fmt: skip
    return [spans_request(*spans, scope="openinference.instrumentation.claude_agent_sdk", resource=RESOURCE)]


def azure() -> list[Request]:
    """An agent that lives in Azure: its client asks until the run is done, and each answer from then on repeats the usage."""

    def asked(operation: str, identity: str, begin: float, **usage: int) -> Row:
        told = {"gen_ai.operation.name": operation, "gen_ai.system": "az.ai.agents", "gen_ai.thread.run.id": "run_7"}
        told |= {"gen_ai.response.model": "gpt-4o-mini", **{f"gen_ai.usage.{name}": count for name, count in usage.items()}}
        return span(operation, identity, begin, begin + 0.2, trace="azure", parent="root", attributes=told)

    spans = [
        span("answer", "root", 0, 9, trace="azure", attributes={"session.id": "azure"}), asked("start_thread_run", "start", 0.1),
        asked("get_thread_run", "get1", 1), asked("get_thread_run", "get2", 3, input_tokens=1200, output_tokens=90),
        asked("get_thread_run", "get3", 4, input_tokens=1200, output_tokens=90),
    ]  # fmt: skip
    return [spans_request(*spans, scope="azure.ai.agents", resource=RESOURCE)]


def codex(name: str, *, logged: bool) -> list[Request]:
    """A turn whose inner spans were filtered out; `logged`: log records, which are in no trace, tell the same call."""
    turn = {f"codex.turn.token_usage.{key}": count for key, count in USAGE.items()}
    turn |= {"thread.id": name, "turn.id": f"{name}-turn", "model": "gpt-5-codex", "code.namespace": "codex_core"}
    resource = {"service.name": "codex_exec", "env": name}
    found = [spans_request(span("session_task.turn", "turn", 0, 5, trace=name, attributes=turn), scope="codex_exec", resource=resource)]
    call = {"event.name": "codex.sse_event", "event.kind": "response.completed", "conversation.id": name, "model": "gpt-5-codex"}
    call |= {"input_token_count": 1200, "output_token_count": 90, "cached_token_count": 1024, "reasoning_token_count": 64}
    return [*found, logs_request(record(call, 4), scope="codex_otel.log_only", resource=resource)] if logged else found


def workflow() -> list[Request]:
    """A workflow knows the sum of two agents: one whose calls are recorded, and one that is hosted elsewhere and tells its own."""

    def step(operation: str, identity: str, parent: str | None, tokens: tuple[int, int] | None, **more: str) -> Row:
        told: Row = {
            "gen_ai.operation.name": operation,
            "gen_ai.conversation.id": "workflow",
            "gen_ai.request.model": "gpt-4o-mini",
            **more,
        }
        told |= {} if tokens is None else {"gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]}
        return span(operation, identity, 0, 5, trace="workflow", parent=parent, attributes=told)

    spans = [
        step("invoke_workflow", "flow", None, (3600, 270)), step("invoke_agent", "local", "flow", (2400, 180)),
        step("chat", "c1", "local", (1200, 90)), step("chat", "c2", "local", (1200, 90)),
        step("invoke_agent", "hosted", "flow", (1200, 90)),
    ]  # fmt: skip
    return [spans_request(*spans, scope="agents", resource=RESOURCE)]


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    requests = [*claude_agent_sdk(), *azure(), *codex("turn", logged=False), *codex("both", logged=True), *workflow()]
    return Flows(tmp_path_factory.mktemp("totals") / "data", requests)


def test_an_agent_of_the_claude_sdk_costs_what_it_says(flows: Flows) -> None:
    told(
        flows.run("claude"), input_tokens=2200, output_tokens=90, cache_read_tokens=1000, cache_write_tokens=24, model_calls=0, tool_calls=2
    )
    assert flows.run("claude")["cost_usd"] == 0.0125


def test_an_agent_in_azure_is_counted_once_however_often_it_was_asked_for(flows: Flows) -> None:
    told(flows.run("azure"), input_tokens=1200, output_tokens=90, model_calls=0, unpriced_calls=0, status="ok")
    assert flows.run("azure")["cost_usd"] == pytest.approx(1200 * 0.15e-6 + 90 * 0.6e-6)


@pytest.mark.parametrize(("session", "calls"), [("turn", 0), ("both", 1)])
def test_a_turn_of_codex_tells_its_tokens_where_no_call_does(flows: Flows, session: str, calls: int) -> None:
    told(flows.run(session), run_id=f"{session}-turn", input_tokens=1200, output_tokens=90, cache_read_tokens=1024, reasoning_tokens=64)
    assert flows.run(session)["model_calls"] == calls
    assert flows.run(session)["cost_usd"] == pytest.approx(flows.run("both")["cost_usd"])


def test_of_a_workflow_the_calls_count_and_the_agent_without_any(flows: Flows) -> None:
    told(flows.run("workflow"), input_tokens=3600, output_tokens=270, model_calls=2)
    counted = flows.read("SELECT name FROM steps WHERE counted AND session_id = 'workflow' ORDER BY name")
    assert [row["name"] for row in counted] == ["chat", "chat", "invoke_agent"]
