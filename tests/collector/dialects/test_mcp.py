"""MCP: a call that the agent, the client and the server tell is one call; so is one that only some of them tell."""

from typing import Any

import pytest

from collector import dialects
from collector.dialects.record import LogView, SpanView
from tests.sealed_flows import Flows, Row, span, spans_request, told
from tests.sealed_lake import Request

CLIENT, SERVER = 3, 2
CALL = {"mcp.method.name": "tools/call", "mcp.protocol.version": "2025-11-25", "jsonrpc.request.id": "7"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather"}
Place = tuple[str, str | None]


def agent(session: str) -> list[Row]:
    """An agent that executes a tool, as a framework tells it."""
    whole = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "assistant", "gen_ai.conversation.id": session}
    return [
        span("invoke_agent assistant", "agent", 0, 5, trace=session, attributes=whole),
        span("execute_tool get_weather", "tool", 1, 4, trace=session, parent="agent", attributes=TOOL | {"gen_ai.tool.call.id": "call_1"}),
    ]


def request(session: str, parent: str | None, *, server: bool = True, between: bool = False, failed: bool = False) -> list[Row]:
    """A client's request, the server's work on it, and the HTTP spans between them."""
    error = {"rpc.response.status_code": "-32602", "error.type": "-32602"} if failed else {}
    own = {"mcp.session.id": session}
    client = span(
        "MCP send tools/call get_weather",
        "client",
        1.1,
        3.9,
        trace=session,
        parent=parent,
        kind=CLIENT,
        attributes=CALL | own | error,
        status_code=2 * failed,
    )
    http = [
        span("POST", "post", 1.2, 3.8, trace=session, parent="client", kind=CLIENT, attributes={"http.request.method": "POST"}),
        span("POST /mcp", "handle", 1.3, 3.7, trace=session, parent="post", kind=SERVER, attributes={"http.route": "/mcp"}),
    ]  # fmt: skip
    above = "handle" if between else "client"
    handled = span("tools/call get_weather", "server", 1.4, 3.6, trace=session, parent=above, kind=SERVER, attributes=CALL | TOOL | own)
    return [client, *(http if between else []), *([handled] if server else [])]


def served(session: str) -> list[Row]:
    """A call of which only the server tells, with a question to the user in it."""
    own = {"mcp.session.id": session}
    question = CALL | own | {"mcp.method.name": "elicitation/create"}
    call = CALL | TOOL | own | {"error.type": "tool_error"}
    return [
        span("tools/call get_weather", "server", 0, 4, trace=session, kind=SERVER, attributes=call, status_code=2),
        span("MCP send elicitation/create", "asks", 1, 2, trace=session, parent="server", kind=CLIENT, attributes=question),
        span("elicitation/create", "asked", 1.1, 1.9, trace=session, parent="asks", kind=SERVER, attributes=question),
    ]  # fmt: skip


def script(session: str) -> list[Row]:
    """A program without a framework that lists the tools and calls one."""
    listed = span("tools/list", "list", 0.1, 0.2, trace=session, parent="main", kind=CLIENT, attributes={"mcp.method.name": "tools/list"})
    return [span("main", "main", 0, 5, trace=session, attributes={}), listed, *request(session, "main")]


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    found = [
        *agent("whole"), *request("whole", "tool"),
        *agent("remote"), *request("remote", "tool", between=True),
        *agent("refused"), *request("refused", "tool", failed=True),
        *request("alone", None), *request("half", None, server=False), *served("served"), *script("script"),
    ]  # fmt: skip
    requests: list[Request] = [spans_request(*found, scope="mcp-python-sdk", resource={"service.name": "assistant"})]
    return Flows(tmp_path_factory.mktemp("mcp") / "data", requests)


@pytest.mark.parametrize("session", ["whole", "remote", "refused", "alone", "half", "served", "script"])
def test_a_call_is_counted_once_whoever_tells_of_it(flows: Flows, session: str) -> None:
    told(flows.run(session), tool_calls=1)
    assert [row["tool_name"] for row in flows.of(flows.tools, session)] == ["get_weather"]


@pytest.mark.parametrize(("session", "name"), [("whole", "execute_tool get_weather"), ("script", "MCP send tools/call get_weather")])
def test_the_story_has_one_step_of_the_tool(flows: Flows, session: str, name: str) -> None:
    assert [step["name"] for step in flows.steps(session, "tool")] == [name]


def test_an_error_of_the_protocol_is_told(flows: Flows) -> None:
    assert flows.run("refused")["errors"] == 1
    (failed,) = [step for step in flows.steps("refused", "other") if step["error_type"]]
    told(failed, error_type="-32602", status="error")
    (call,) = flows.of(flows.tools, "served")
    told(call, status="error", error_type="tool_error")


def test_a_question_to_the_user_is_one_approval(flows: Flows) -> None:
    assert [row["approval_state"] for row in flows.approvals] == ["requested"]


def read(attributes: Row, **fields: Any) -> Row:
    view = SpanView("mcp", fields.pop("name", "span"), attributes, {}, fields.pop("is_root", False), fields.pop("failed", False))
    return dialects.read_span(view._replace(**fields))


@pytest.mark.parametrize(("action", "state"), [("accept", "granted"), ("decline", "denied"), ("cancel", "denied"), ("later", "requested")])
def test_answers_to_a_question(action, state):
    found = read({"mcp.method.name": "elicitation/create", "mcp.elicitation.action": action}, kind=CLIENT)
    told(found, step_kind="approval", approval_state=state)


def test_other_requests_are_steps_and_a_code_of_success_is_no_error():
    told(
        read({"mcp.method.name": "resources/read", "mcp.resource.uri": "notes://1"}),
        step_kind="other",
        resource="notes://1",
        operation="resources/read",
    )
    told(read({"mcp.method.name": "initialize"}, is_root=True), step_kind="run")
    assert "error_type" not in read({"mcp.method.name": "ping", "rpc.response.status_code": "OK"}, failed=True)


@pytest.mark.parametrize(("name", "tool"), [("tools/call get_weather", "get_weather"), ("tools/call.mcp", None), ("POST", None)])
def test_a_tools_name_may_stand_in_the_spans_alone(name, tool):
    assert read(CALL, name=name)["tool_name"] == tool


def test_a_log_record_of_a_gateway_is_no_call():
    found = dialects.read_log(LogView("", "", None, CALL | TOOL, {}, True))
    told(found, dialect="mcp", step_kind="other", tool_name="get_weather")
