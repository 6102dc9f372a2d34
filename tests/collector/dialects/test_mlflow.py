"""MLflow: JSON-quoted attributes, usage in one object, and runs whose root never came."""

import json
from typing import Any

import pytest

from collector import dialects
from collector.dialects.record import SpanView
from tests.sealed_flows import Flows, Row, span, spans_request, told

MODEL = "gpt-4o-mini-2024-07-18"
USAGE = {"input_tokens": 1200, "output_tokens": 90, "total_tokens": 1290, "cache_read_input_tokens": 1024}
COST = {"input_cost": 0.0001032, "output_cost": 0.000054, "total_cost": 0.0001572}
REQUEST = "tr-6f1c2a"
NUMBERS = {
    "model_calls": 2, "input_tokens": 2400, "cache_read_tokens": 2048, "output_tokens": 180, "reasoning_tokens": 128, "tool_calls": 1,
    "errors": 0,
}  # fmt: skip


def completion(finish: str, number: int) -> Row:
    usage = {"prompt_tokens": 1200, "completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 64}}
    return {"id": f"chatcmpl-{number}", "model": MODEL, "choices": [{"finish_reason": finish, "message": {"content": "x"}}], "usage": usage}


class Trace:
    """An agent with a retriever, two calls of OpenAI and a tool, as MLflow's autologging records them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def span(
        self, kind: str, name: str, identity: str, begin: float, end: float, parent: str | None, attributes: Row, **fields: Any
    ) -> Row:
        told = {"mlflow.traceRequestId": f"{REQUEST}-{self.name}", "mlflow.spanType": kind, "mlflow.spanFunctionName": name} | attributes
        quoted = {key: value if key in {"session.id", "user.id"} else json.dumps(value) for key, value in told.items()}
        return span(name, identity, begin, end, trace=self.name, parent=parent, attributes=quoted, status_code=1, **fields)

    def call(self, identity: str, begin: float, end: float, finish: str, number: int) -> Row:
        asked = {"mlflow.spanInputs": {"model": "gpt-4o-mini", "messages": []}, "mlflow.spanOutputs": completion(finish, number)}
        asked |= {"mlflow.chat.tokenUsage": USAGE, "mlflow.llm.cost": COST, "mlflow.llm.model": MODEL, "mlflow.llm.provider": "openai"}
        asked |= {"mlflow.linkedPrompts": json.dumps([{"name": "weather", "version": "3"}]), "mlflow.message.format": "openai"}
        return self.span("CHAT_MODEL", "Completions", identity, begin, end, "agent", asked)

    def spans(self) -> list[Row]:
        whole = {"session.id": self.name, "user.id": "user-1", "mlflow.spanInputs": {"question": "?"}, "mlflow.spanOutputs": "sunny"}
        found = [{"page_content": "text", "metadata": {"doc_uri": "doc-1", "chunk_id": "c1"}, "id": "doc-1"}]
        tool = {"mlflow.spanInputs": {"city": "Paris"}, "mlflow.spanOutputs": "sunny"}
        return [
            self.span("AGENT", "weather_agent", "agent", 0, 9, None, whole),
            self.span("RETRIEVER", "search", "find", 0.1, 0.5, "agent", {"mlflow.spanInputs": {"q": "?"}, "mlflow.spanOutputs": found}),
            self.call("llm1", 1, 3, "tool_calls", 1), self.span("TOOL", "get_weather", "tool", 3, 4, "agent", tool),
            self.call("llm2", 5, 8, "stop", 2), self.span("PARSER", "parse", "parse", 8, 8.1, "agent", {}),
        ]  # fmt: skip


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    spans = [*Trace("whole").spans(), *Trace("orphans").spans()[1:]]
    request = spans_request(*spans, scope="mlflow.tracing.fluent", resource={"service.name": "shop", "service.version": "7"})
    return Flows(tmp_path_factory.mktemp("mlflow") / "data", [request])


def of(flows: Flows, name: str) -> Row:
    (run,) = [run for run in flows.runs if run["run_id"] == f"{REQUEST}-{name}"]
    return run


@pytest.mark.parametrize("name", ["whole", "orphans"])
def test_a_trace_has_the_same_numbers_with_and_without_its_root(flows: Flows, name: str) -> None:
    told(of(flows, name), **NUMBERS, release="7")
    assert of(flows, name)["cost_usd"] == pytest.approx(of(flows, name)["sent_cost_usd"])
    assert [row["tool_name"] for row in flows.tools] == ["get_weather", "get_weather"]


def test_a_whole_trace_tells_whose_it_was(flows: Flows) -> None:
    told(of(flows, "whole"), session_id="whole", actor="user-1", agent_name="weather_agent", orphans=0, status="ok")
    first, second = flows.of(flows.calls, "whole")
    told(first, provider="openai", model=MODEL, model_requested="gpt-4o-mini", prompt_version="3", finish_reason="tool_calls")
    told(second, response_id="chatcmpl-2", finish_reason="stop", cache_read_tokens=1024)
    (retrieval,) = flows.of(flows.read("SELECT * FROM retrievals"), "whole")
    assert json.loads(retrieval["documents"])[0]["metadata"]["doc_uri"] == "doc-1"


def test_a_trace_without_its_root_is_a_run_with_orphans(flows: Flows) -> None:
    told(of(flows, "orphans"), orphans=5, status="abandoned", agent_name="shop", session_id=None)


def read(kind: str | None, attributes: Row, *, is_root: bool = False) -> Row:
    own = {"mlflow.traceRequestId": json.dumps(REQUEST)} | ({} if kind is None else {"mlflow.spanType": json.dumps(kind)})
    return dialects.read_span(SpanView("", "span", own | attributes, {}, is_root, False))


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("LLM", "model"), ("EMBEDDING", "model"), ("RERANKER", "retrieval"), ("MEMORY", "memory"), ("GUARDRAIL", "policy"),
        ("EVALUATOR", "eval"), ("AGENT", "agent"), ("WORKFLOW", "agent"), ("CHAIN", "other"), ("TASK", "other"), (None, "other"),
    ],
)  # fmt: skip
def test_span_types(kind, step):
    assert read(kind, {})["step_kind"] == step


def test_a_roots_chain_or_workflow_is_the_run():
    assert {read(kind, {}, is_root=True)["step_kind"] for kind in ("CHAIN", "WORKFLOW", "UNKNOWN", None)} == {"run"}


def test_anthropics_usage_excludes_cached_tokens_and_is_made_inclusive():
    usage = {
        "input_tokens": 100,
        "output_tokens": 10,
        "total_tokens": 1134,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 24,
    }
    found = read("CHAT_MODEL", {"mlflow.chat.tokenUsage": json.dumps(usage)})
    told(found, input_tokens=1124, cache_read_tokens=1000, cache_write_tokens=24, token_convention="cache_added")


@pytest.mark.parametrize("value", ["", "[", '"', '"a', "3", "null", '{"usage": 3, "choices": [3]}', "[]"])
def test_values_of_other_shapes_stop_nothing(value):
    names = (
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "mlflow.chat.tokenUsage",
        "mlflow.llm.cost",
        "mlflow.linkedPrompts",
        "mlflow.llm.model",
    )
    for kind in ("LLM", "TOOL", "AGENT"):
        assert read(kind, dict.fromkeys(names, value))["run_id"] == REQUEST
