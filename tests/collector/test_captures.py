"""The truth of tests/captures/INDEX.md: what each framework did, whatever its spans say."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from collector.decode import TABLE_OF_SIGNAL, Decoder
from collector.joins import resolve
from collector.signals import SIGNALS
from tests.collector.otlp_samples import NOW_NS, header

CAPTURES = Path(__file__).parents[1] / "captures"
ALL = sorted(CAPTURES.glob("*.pb"))


class Nothing:
    """A catalog that knows of no other trace."""

    def joins(self, **_: Any) -> list[Any]:
        return []


class Story:
    """The rows of one framework's captures, each with its final run."""

    def __init__(self, framework: str) -> None:
        decoder = Decoder("node/collector", 0)
        for path in ALL:
            if path.name.startswith(framework + "-0"):
                decoder.add(header(path.stem.rsplit("-", 1)[1]), path.read_bytes())
        tables = decoder.tables(os.urandom)
        runs = resolve(decoder.runs.joins.values(), Nothing())
        self.rows = [row for name in ("spans", "events") if name in tables for row in tables[name].to_pylist(maps_as_pydicts="strict")]
        for row in self.rows:
            row["run"] = runs.get(row["trace_id"]) or row["run_id"]
        self.runs = {row["run"] for row in self.rows}

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["step_kind"] == kind]

    def tokens(self) -> list[int | None]:
        """Sums over the model steps: input, cached, output, reasoning; None when no step knows it."""
        columns = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
        known = [[row[column] for row in self.of_kind("model") if row[column] is not None] for column in columns]
        return [sum(values) if values else None for values in known]


def records(signal: str, message: Any) -> int:
    """How many spans, log records or data points a request holds."""
    if signal == "traces":
        return sum(len(scope.spans) for resource in message.resource_spans for scope in resource.scope_spans)
    if signal == "logs":
        return sum(len(scope.log_records) for resource in message.resource_logs for scope in resource.scope_logs)
    metrics = [metric for resource in message.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics]
    return sum(len(getattr(metric, metric.WhichOneof("data")).data_points) for metric in metrics)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_rows_are_the_records_sent(path):
    signal = path.stem.rsplit("-", 1)[1]
    decoder = Decoder("node/collector", 0)
    sent = records(signal, SIGNALS[signal].request.FromString(path.read_bytes()))
    assert decoder.add(header(signal), path.read_bytes()) == sent
    table = decoder.tables(os.urandom)[TABLE_OF_SIGNAL[signal]]
    table.validate(full=True)
    assert table.num_rows == sent > 0
    assert not any(table["clock_flagged"].to_pylist())
    assert not any(name == "otel" for name in table["dialect"].to_pylist()) or "strands" in path.name


@pytest.mark.parametrize(
    ("framework", "runs", "calls", "tokens", "tools"),
    [
        ("openinference-openai", 3, 3, [2408, 2048, 180, 128], 0),
        ("otel-genai-openai", 5, 6, [4808, 4096, 360, 256], 1),
        ("pydantic-ai", 1, 2, [2400, 2048, 180, 128], 1),
        ("langgraph-openinference", 2, 2, [2400, 2048, 180, 128], 1),
        ("openai-agents-openinference", 1, 2, [2400, 2048, 180, 128], 1),
        ("strands", 1, 2, [2400, 2048, 180, None], 1),
        ("traceloop", 1, 1, [1200, 1024, 90, 64], 1),
        ("vercel-ai", 1, 2, [2400, 2048, 180, None], 1),
        ("autogen", 1, 0, [None, None, None, None], 1),
    ],
)
def test_runs_calls_tokens_and_tools(framework, runs, calls, tokens, tools):
    story = Story(framework)
    assert len(story.runs) == runs
    assert len(story.of_kind("model")) == calls
    assert story.tokens() == tokens
    assert [row["tool_name"] for row in story.of_kind("tool")] == ["get_weather"] * tools


@pytest.mark.parametrize("framework", ["otel-genai-openai", "openinference-openai", "pydantic-ai", "strands", "traceloop", "vercel-ai"])
def test_tokens_and_cost_stand_on_model_steps_alone(framework):
    story = Story(framework)
    for row in story.rows:
        if row["step_kind"] != "model":
            assert {row[name] for name in ("input_tokens", "output_tokens", "cost_usd", "cost_source")} == {None}
    priced = [row["cost_usd"] for row in story.of_kind("model") if row["operation"] == "chat" and row["input_tokens"]]
    assert priced == pytest.approx([0.0001572] * len(priced))


def test_otel_genai_flow_retrieval_conversation_and_error():
    story = Story("otel-genai-openai")
    (flow,) = story.of_kind("run")
    in_flow = [row for row in story.rows if row["run"] == flow["run"]]
    assert flow["name"] == "invoke_workflow weather_flow"
    assert sum(row["input_tokens"] or 0 for row in in_flow) == 2400
    assert {row["session_id"] for row in in_flow if row["session_id"]} == {"conv-1"}
    (retrieval,) = story.of_kind("retrieval")
    assert retrieval["attributes"]["gen_ai.retrieval.documents"] == '[{"id":"doc-1","score":0.9},{"id":"doc-2","score":0.4}]'
    (failed,) = [row for row in story.of_kind("model") if row["error_type"]]
    assert (failed["error_type"], failed["status_code"], failed["input_tokens"]) == ("openai.RateLimitError", 2, None)
    assert failed["cost_usd"] is None
    assert failed["cost_source"] == "unknown: no tokens"
    assert [row["finish_reason"] for row in story.of_kind("model")] == ["tool_calls", "stop", "stop", "stop", None, None]
    (tool,) = story.of_kind("tool")
    assert tool["tool_call_id"] == "call_11"
    assert len(story.of_kind("message")) == 5  # the details records of the five chat calls: no second call each


def test_openinference_session_actor_tenant_and_prompt():
    story = Story("openinference-openai")
    assert {(row["session_id"], row["actor"], row["tenant"], row["prompt_version"]) for row in story.rows} == {
        ("sess-1", "user-1", "acme", "v3")
    }
    assert [row["operation"] for row in story.rows] == ["chat", "chat", "embeddings"]
    assert [row["model_requested"] for row in story.rows] == ["gpt-4o-mini", "gpt-4o-mini", "text-embedding-3-small"]
    assert [row["response_id"] for row in story.rows] == ["chatcmpl-1", "resp_2", None]


def test_pydantic_ai_approval_joins_two_traces_and_shows_both_its_states():
    story = Story("pydantic-ai")
    approvals = sorted((row for row in story.rows if row["approval_state"]), key=lambda row: row["start_ns"])
    assert [row["approval_state"] for row in approvals] == ["requested", "granted"]
    assert {(row["tool_name"], row["tool_call_id"], row["action"]) for row in approvals} == {("get_weather", "call_17", "get_weather")}
    assert approvals[0]["trace_id"] != approvals[1]["trace_id"]
    assert story.runs == {approvals[0]["trace_id"]}
    (tool,) = story.of_kind("tool")
    assert tool["trace_id"] == approvals[1]["trace_id"]
    assert {row["session_id"] for row in story.rows} == {"conv-7"}


def test_langgraph_retrieval_is_a_run_of_its_own():
    story = Story("langgraph-openinference")
    (retrieval,) = story.of_kind("retrieval")
    in_agent = [row for row in story.rows if row["run"] != retrieval["run"]]
    assert {(row["session_id"], row["actor"]) for row in in_agent} == {("sess-1", "user-1")}
    (root,) = [row for row in in_agent if row["parent_span_id"] is None]
    assert (root["step_kind"], root["agent_name"]) == ("agent", "weather_agent")


def test_openai_agents_guardrail_is_a_policy_step():
    (policy,) = Story("openai-agents-openinference").of_kind("policy")
    assert policy["name"] == "pii"


def test_strands_identity_and_finish_reasons_from_span_events():
    story = Story("strands")
    assert {(row["session_id"], row["actor"], row["tenant"]) for row in story.rows} == {("sess-1", "user-1", "acme")}
    assert [row["finish_reason"] for row in story.of_kind("model")] == ["tool_calls", "stop"]
    assert {row["provider"] for row in story.rows} == {None}  # the framework's name is no provider's


def test_traceloop_workflow_agent_and_session_in_four_requests():
    story = Story("traceloop")
    kinds = Counter(row["step_kind"] for row in story.rows)
    assert kinds == {"run": 1, "agent": 1, "tool": 1, "model": 1}
    assert {row["session_id"] for row in story.rows} == {"sess-1"}
    assert story.of_kind("agent")[0]["agent_name"] == "weather_agent"


def test_vercel_steps_are_no_calls():
    story = Story("vercel-ai")
    assert [row["name"] for row in story.of_kind("other")] == ["step 1", "step 2"]
    assert [row["finish_reason"] for row in story.of_kind("model")] == ["tool_calls", "stop"]


def test_autogen_is_one_run_of_fifteen_traces_named_after_its_first_message():
    story = Story("autogen")
    assert len({row["trace_id"] for row in story.rows}) == 15
    first = next(row for row in story.rows if row["name"].startswith("autogen create RoundRobin"))
    assert story.runs == {first["trace_id"]}


def test_rows_are_the_same_however_requests_are_split_and_ordered():
    received_ns = NOW_NS
    message = SIGNALS["traces"].request()
    for path in ALL:
        if path.stem.endswith("-traces"):
            message.MergeFromString(path.read_bytes())
    whole = Decoder("node/collector", 0)
    whole.add(header("traces", received_ns=received_ns), message.SerializeToString())
    parts = Decoder("node/collector", 0)
    for of_resource in reversed(message.resource_spans):
        for of_scope in reversed(of_resource.scope_spans):
            for span in reversed(of_scope.spans):
                single = SIGNALS["traces"].request()
                resource = single.resource_spans.add()
                resource.resource.CopyFrom(of_resource.resource)
                scope = resource.scope_spans.add()
                scope.scope.CopyFrom(of_scope.scope)
                scope.schema_url = of_scope.schema_url
                scope.spans.add().CopyFrom(span)
                parts.add(header("traces", received_ns=received_ns), single.SerializeToString())
    one, other = (_without_ledger(decoder) for decoder in (whole, parts))
    assert one == other
    assert resolve(whole.runs.joins.values(), Nothing()) == resolve(parts.runs.joins.values(), Nothing())


def _without_ledger(decoder: Decoder) -> list[dict[str, Any]]:
    rows = decoder.tables(os.urandom)["spans"].drop_columns(["salt", "entry_row"]).to_pylist(maps_as_pydicts="strict")
    return sorted(rows, key=lambda row: (row["trace_id"], row["span_id"]))


def test_autogens_answers_say_what_they_took_though_nobody_recorded_the_calls():
    """The same answer goes to all who listen, so nothing of it is summed."""
    story = Story("autogen")
    told = {(row["input_tokens"], row["output_tokens"]) for row in story.of_kind("message") if row["input_tokens"] is not None}
    assert told == {(1200, 90)}
    assert {row["cost_usd"] for row in story.rows} == {None}
