"""LangGraph's human in the loop, whoever records it: a graph that waits has not failed, and who resumes it goes on with its run."""

import json
from typing import Any

import pytest

from collector import dialects
from collector.dialects.record import SpanView
from tests.sealed_flows import Flows, Row, span, spans_request, told
from tests.sealed_lake import Request

RESOURCE = {"service.name": "desk"}
ASKED = "GraphInterrupt((Interrupt(value={'question': 'refund?'}, id='3f1'),))"
PENDING = json.dumps({"messages": [], "__interrupt__": [{"value": {"question": "refund?"}, "id": "3f1"}]})
RAISED = [("exception", {"exception.type": "langgraph.errors.GraphInterrupt", "exception.message": "(Interrupt(value=…),)"})]


def openinference(thread: str, kind: str, given: str | None = None, answered: str | None = None, **more: Any) -> Row:
    told = {"openinference.span.kind": kind, "metadata": json.dumps({"thread_id": thread, "langgraph_step": 2}), **more}
    told |= {} if given is None else {"input.value": given}
    return told | ({} if answered is None else {"output.value": answered})


def graph(thread: str, trace: str, begin: float, given: str, answered: str) -> Row:
    return span(
        "LangGraph", "graph", begin, begin + 3, trace=trace, attributes=openinference(thread, "CHAIN", given, answered), status_code=1
    )


def model(thread: str, trace: str, begin: float) -> Row:
    usage = {"llm.model_name": "gpt-4o-mini", "llm.token_count.prompt": 1200, "llm.token_count.completion": 90}
    return span("ChatOpenAI", "llm", begin, begin + 0.5, trace=trace, parent="graph", attributes=openinference(thread, "LLM", **usage))


def asking(thread: str, trace: str, begin: float) -> list[Row]:
    """A tool that asks, in the node that runs the tools: the exception goes through both."""
    node = span(
        "tools",
        "node",
        begin + 1,
        begin + 2,
        trace=trace,
        parent="graph",
        attributes=openinference(thread, "CHAIN"),
        events=RAISED,
        status_code=2,
    )
    tool = openinference(thread, "TOOL", '{"amount": 7}', **{"tool.name": "refund"})
    return [node, span("refund", "tool", begin + 1, begin + 2, trace=trace, parent="node", attributes=tool, events=RAISED, status_code=2)]


def requests() -> list[Request]:
    """Asked, answered by a question, answered for good; then the thread is used again. Another thread asks and is never answered."""
    resumed = {"input": {"graph": None, "update": None, "resume": {"decisions": [{"type": "approve"}]}, "goto": []}}
    done = openinference("t1", "TOOL", '{"amount": 7}', '{"type": "tool", "tool_call_id": "call_1"}', **{"tool.name": "refund"})
    spans = [
        graph("t1", "first", 0, '{"messages": []}', PENDING), model("t1", "first", 0), *asking("t1", "first", 0),
        graph("t1", "second", 100, "Command(resume='how much?')", PENDING), *asking("t1", "second", 100),
        graph("t1", "third", 200, json.dumps(resumed), "{}"), model("t1", "third", 202),
        span("refund", "tool", 201, 202, trace="third", parent="graph", attributes=done),
        graph("t1", "later", 300, '{"messages": ["and now?"]}', "{}"), model("t1", "later", 300),
        graph("t2", "alone", 0, '{"messages": []}', PENDING), *asking("t2", "alone", 0),
    ]  # fmt: skip
    return [spans_request(*spans, scope="openinference.instrumentation.langchain", resource=RESOURCE)]


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    return Flows(tmp_path_factory.mktemp("langgraph") / "data", requests())


def test_a_graph_that_asks_is_one_run_with_the_traces_that_answer(flows: Flows) -> None:
    first, later = [run for run in flows.runs if run["session_id"] == "t1"]
    told(first, status="ok", errors=0, tool_calls=1, model_calls=2, input_tokens=2400)
    assert len(first["trace_ids"]) == 3
    told(later, status="ok", model_calls=1)
    assert [run["errors"] for run in flows.runs if run["session_id"] == "t2"] == [0]


def test_what_it_asked_and_what_was_answered_are_approvals_each_once(flows: Flows) -> None:
    found = flows.of(flows.approvals, "t1")
    assert [(row["approval_state"], row["tool_name"]) for row in found] == [
        ("requested", "refund"),
        ("requested", "refund"),
        ("granted", None),
    ]
    (waiting,) = flows.of(flows.approvals, "t2")
    told(waiting, approval_state="requested", tool_name="refund", action="refund")


def test_no_step_of_it_is_an_error(flows: Flows) -> None:
    steps = flows.lake.sql("SELECT name, kind, status, error_type, outcome FROM steps").to_pylist()
    assert {step["status"] for step in steps} == {"ok", "unset"}
    assert {step["error_type"] for step in steps} == {None}
    assert {step["kind"] for step in steps if step["outcome"] == "waiting" and step["name"] == "refund"} == {"approval"}


def failed(attributes: Row, *, events: Any = (), message: str = "") -> Row:
    return dialects.read_span(SpanView("", "tools", attributes, {}, False, True, events, 0, message))


@pytest.mark.parametrize(
    ("attributes", "told_by"),
    [
        ({"openinference.span.kind": "CHAIN"}, {"message": ASKED}),
        ({"langsmith.span.kind": "chain"}, {"events": [("exception", {"exception.type": "Exception", "exception.message": ASKED})]}),
        ({"traceloop.span.kind": "task"}, {"events": [("exception", {"exception.type": "GraphInterrupt"})]}),
        ({"mlflow.spanType": '"CHAIN"'}, {"message": "GraphInterrupt: (Interrupt(value=1),)"}),
        ({"openinference.span.kind": "CHAIN"}, {"message": "NodeInterrupt('human')"}),
    ],
)  # fmt: skip
def test_an_interrupt_is_no_error_whoever_records_it(attributes: Row, told_by: Row) -> None:
    found = failed(attributes, **told_by)
    told(found, approval_state="requested", outcome="waiting")
    assert "error_type" not in found


def test_a_hand_over_to_the_graph_around_is_no_error() -> None:
    found = failed({"openinference.span.kind": "CHAIN"}, message="ParentCommand(Command(graph='__parent__', goto='billing'))")
    assert (found["outcome"], "approval_state" in found, "error_type" in found) == ("handed_over", False, False)


def test_an_error_that_only_tells_of_an_interrupt_is_an_error() -> None:
    found = failed(
        {"openinference.span.kind": "CHAIN"}, events=[("exception", {"exception.type": "ValueError", "exception.message": f"no {ASKED}"})]
    )
    told(found, error_type="ValueError")
    assert "outcome" not in found


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("Command(resume=True)", "granted"), ("Command(update={'a': 1}, resume='no, thanks')", "denied"),
        ('{"resume": {"type": "reject"}}', "denied"),
        ('{"inputs": {"resume": "approve", "goto": []}}', "granted"), ('{"resume": "yes or no"}', None), ("Command(resume=None)", None),
        ('{"resume": "approve", "name": "curriculum vitae"}', None),
    ],
)  # fmt: skip
def test_an_answer_is_a_decision_where_it_says_one_thing(given: str, state: str | None) -> None:
    found = dialects.read_span(SpanView("", "LangGraph", openinference("t", "CHAIN", given), {}, True, False))
    assert found.get("approval_state") == state
