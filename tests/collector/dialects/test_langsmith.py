"""LangSmith: chains repeat the usage of their calls, and what no attribute tells stands in the JSON of the answer."""

import json
from typing import Any

import pytest

from collector import dialects
from collector.dialects.record import SpanView
from tests.sealed_flows import Flows, Row, span, spans_request, told

MODEL = "gpt-4o-mini-2024-07-18"
USAGE = {"input_tokens": 1200, "output_tokens": 90, "total_tokens": 1290}
DETAILS = {"input_token_details": {"audio": 0, "cache_read": 1024}, "output_token_details": {"audio": 0, "reasoning": 64}}


def generation(finish: str, number: int) -> str:
    """The outputs of a LangChain chat model."""
    metadata = {"finish_reason": finish, "model_name": MODEL, "id": f"chatcmpl-{number}", "token_usage": {"prompt_tokens": 1200}}
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"]}
    message["kwargs"] = {"content": "", "response_metadata": metadata, "usage_metadata": USAGE | DETAILS, "id": f"run--{number}"}
    info = {"finish_reason": finish, "model_name": MODEL}
    whole = {"generations": [[{"text": "", "type": "ChatGeneration", "generation_info": info, "message": message}]]}
    return json.dumps(whole | {"llm_output": {"id": f"chatcmpl-{number}", "model_name": MODEL}, "run": None, "type": "LLMResult"})


class Session:
    """A graph that asks a retriever, calls a model, a tool and the model again."""

    def __init__(self, name: str) -> None:
        self.name = name

    def span(
        self, kind: str, name: str, identity: str, begin: float, end: float, parent: str | None, attributes: Row, **fields: Any
    ) -> Row:
        operations = {"llm": "chat", "tool": "execute_tool", "retriever": "embeddings", "prompt": "chat"}
        told = {"langsmith.span.kind": kind, "langsmith.trace.name": name, "langsmith.span.id": f"0198-{identity}"}
        told |= {"langsmith.span.parent_id": f"0198-{parent}"} if parent else {}
        told |= {"langsmith.trace.id": f"0198-{self.name}", "langsmith.trace.session_name": "shop", "gen_ai.system": "langchain"}
        told |= {"gen_ai.operation.name": operations.get(kind, kind), "langsmith.metadata.session_id": self.name}
        told |= {"langsmith.metadata.user_id": "user-1", "langsmith.metadata.LANGSMITH_PROJECT": "shop"}
        return span(name, identity, begin, end, trace=self.name, parent=parent, attributes=told | attributes, status_code=1, **fields)

    def call(self, identity: str, begin: float, end: float, parent: str, finish: str, number: int) -> Row:
        asked = {"langsmith.metadata.ls_provider": "openai", "langsmith.metadata.ls_model_name": "gpt-4o-mini"}
        asked |= {
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.prompt": '{"messages":[[]]}',
            "gen_ai.completion": generation(finish, number),
        }
        return self.span("llm", "ChatOpenAI", identity, begin, end, parent, asked | self.usage())

    @staticmethod
    def usage() -> Row:
        return {f"gen_ai.usage.{name}": count for name, count in USAGE.items()}

    def spans(self) -> list[Row]:
        answer = {
            "output": {"lc": 1, "type": "constructor", "kwargs": {"content": "sunny", "tool_call_id": "call_1", "name": "get_weather"}}
        }
        tool = {"gen_ai.serialized.name": "get_weather", "gen_ai.prompt": '{"input":"{}"}', "gen_ai.completion": json.dumps(answer)}
        found = {"gen_ai.completion": json.dumps({"documents": [{"page_content": "x", "metadata": {"source": "doc-1"}}]})}
        return [
            self.span("chain", "weather_flow", "flow", 0, 9, None, self.usage()),
            self.span("retriever", "VectorStoreRetriever", "find", 0.1, 0.5, "flow", found),
            self.span("prompt", "ChatPromptTemplate", "prompt", 0.5, 0.6, "flow", {}),
            self.span("chain", "agent", "agent1", 1, 3, "flow", self.usage()), self.call("llm1", 1.1, 2.9, "agent1", "tool_calls", 1),
            self.span("chain", "tools", "tools", 3, 4, "flow", {}), self.span("tool", "get_weather", "tool", 3.1, 3.9, "tools", tool),
            self.span("chain", "agent", "agent2", 5, 8, "flow", self.usage()), self.call("llm2", 5.1, 7.9, "agent2", "stop", 2),
        ]  # fmt: skip


def late(spans: list[Row]) -> list[Row]:
    """The same in an application's request, with a span that was exported after its parent had ended."""
    spans[0] |= {"parent_span_id": b"outside."}
    spans[-1] = {name: value for name, value in spans[-1].items() if name != "parent_span_id"} | {"trace_id": b"another trace..."}
    return spans


def test_calls_alone_are_counted_with_what_their_answers_tell(tmp_path_factory: pytest.TempPathFactory) -> None:
    resource = {"service.name": "shop", "deployment.environment": "test"}
    spans = [*Session("sess-1").spans(), *late(Session("sess-2").spans())]
    flows = Flows(tmp_path_factory.mktemp("langsmith") / "data", [spans_request(*spans, scope="langsmith", resource=resource)])
    told(flows.run("sess-2"), model_calls=2, input_tokens=2400, tool_calls=1)
    assert len(flows.run("sess-2")["trace_ids"]) == 2
    told(
        flows.run("sess-1"), model_calls=2, input_tokens=2400, cache_read_tokens=2048, output_tokens=180, reasoning_tokens=128,
        tool_calls=1, errors=0, actor="user-1", project="shop", environment="test", agent_name="weather_flow", name="weather_flow",
    )  # fmt: skip
    assert flows.run("sess-1")["cost_usd"] == pytest.approx(2 * 0.0001572)
    expected = {"provider": "openai", "model": MODEL, "model_requested": "gpt-4o-mini"}
    for number, (call, finish) in enumerate(zip(flows.of(flows.calls, "sess-1"), ("tool_calls", "stop"), strict=True), 1):
        told(call, **expected, finish_reason=finish, response_id=f"chatcmpl-{number}", operation="chat")
    told(flows.tools[0], tool_name="get_weather", tool_call_id="call_1")
    assert [step["name"] for step in flows.steps("sess-1", "retrieval")] == ["VectorStoreRetriever"]


def read(kind: str, attributes: Row, **fields: Any) -> Row:
    view = SpanView("langsmith", "span", {"langsmith.span.kind": kind, **attributes}, {}, fields.pop("is_root", False), False)
    return dialects.read_span(view._replace(**fields))


def test_an_answer_of_openais_client_is_read_too():
    answer = {"id": "chatcmpl-9", "model": MODEL, "choices": [{"finish_reason": "length"}], "usage_metadata": USAGE | DETAILS}
    found = read("llm", {"gen_ai.completion": json.dumps(answer), "gen_ai.response.finish_reasons": "length, stop"})
    told(
        found, response_id="chatcmpl-9", model=MODEL, finish_reason="length", input_tokens=1200, reasoning_tokens=64, cache_read_tokens=1024
    )


def test_the_providers_id_goes_before_langchains_own():
    message = {
        "id": "run--1",
        "response_metadata": {"id": "chatcmpl-1", "finish_reason": "stop", "model_name": MODEL},
        "usage_metadata": USAGE,
    }
    found = read("llm", {"gen_ai.completion": json.dumps({"generations": [[{"message": {"kwargs": message}}]]})})
    told(found, response_id="chatcmpl-1", finish_reason="stop", output_tokens=90)


@pytest.mark.parametrize(("name", "agent"), [("weather_agent", "weather_agent"), ("LangGraph", None), ("RunnableSequence", None)])
def test_a_root_that_was_given_a_name_is_an_agent_of_that_name(name, agent):
    assert read("chain", {"langsmith.trace.name": name}, is_root=True).get("agent_name") == agent


def test_details_that_were_sent_as_python_prints_them():
    found = read("llm", {
        "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90,
        "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 1024}", "gen_ai.usage.output_token_details": "{'reasoning': 64}",
    })  # fmt: skip
    told(found, cache_read_tokens=1024, reasoning_tokens=64, input_tokens=1200)
    assert read("llm", {"gen_ai.usage.input_token_details": "{'audio': 0}"}).get("cache_read_tokens") is None


@pytest.mark.parametrize(
    "answer", ["", "[", "[]", "[[]]", "{}", '"text"', '{"generations":[[]]}', '{"output":{"output":{"output":[3]}}}', "null"]
)
def test_answers_of_other_shapes_stop_nothing(answer):
    assert read("llm", {"gen_ai.completion": answer})["step_kind"] == "model"
    assert read("tool", {"gen_ai.completion": answer})["tool_name"] == "span"


@pytest.mark.parametrize(
    ("kind", "step", "operation"),
    [
        ("embedding", "model", "embeddings"),
        ("retriever", "retrieval", "retrieval"),
        ("prompt", "other", "prompt"),
        ("parser", "other", "parser"),
    ],
)
def test_the_kind_of_span_decides_not_the_operation_that_was_sent(kind, step, operation):
    found = read(kind, {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5})
    told(found, step_kind=step, operation=operation)
    assert ("input_tokens" in found) is (step == "model")


def test_a_chain_named_like_its_agent_is_the_agent():
    attributes = {"langsmith.trace.name": "billing", "langsmith.metadata.lc_agent_name": "billing"}
    told(read("chain", attributes), step_kind="agent", agent_name="billing", operation="invoke_agent")
    assert read("chain", {**attributes, "langsmith.trace.name": "tools"})["step_kind"] == "other"
