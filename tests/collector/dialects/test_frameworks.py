"""Frameworks without a capture: what truly happened, whatever their spans say."""

import json

import pytest

from tests.collector.dialects import frameworks
from tests.sealed_flows import Flows, told

FRAMEWORKS = (
    frameworks.adk, frameworks.vercel, frameworks.openllmetry, frameworks.agent_framework, frameworks.semantic_kernel,
    frameworks.execution, frameworks.execution_tokens, frameworks.logfire, frameworks.logfire_agents, frameworks.memory,
)  # fmt: skip


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    return Flows(tmp_path_factory.mktemp("frameworks") / "data", [request for make in FRAMEWORKS for request in make()])


@pytest.mark.parametrize(
    ("session", "agent", "calls", "tokens", "tools"),
    [
        ("adk", "weather_agent", 2, (2400, 2048, 180, 128), ["get_weather", "transfer_to_agent"]),
        ("vercel", "weather_agent", 2, (2400, 2048, 180, 128), ["get_weather"]),
        ("openllmetry", "weather_agent", 2, (2400, 2048, 180, 128), ["get_weather"]),
        ("framework", "weather", 2, (2400, None, 180, None), ["get_weather", "handoff_to_billing"]),
        ("kernel", "weather_agent", 2, (2400, None, 180, None), ["weather-get_weather"]),
        ("execution", "planner", 1, (None, None, None, None), ["web_search", "files"]),
        ("logfire", "weather-service", 2, (2400, 2048, 180, 128), []),
        ("agents", "weather_agent", 1, (1200, None, 90, None), ["get_weather"]),
    ],
)
def test_runs_calls_tokens_and_tools(flows, session, agent, calls, tokens, tools):
    columns = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    told(flows.run(session), agent_name=agent, model_calls=calls, tool_calls=len(tools), **dict(zip(columns, tokens, strict=True)))
    assert [row["tool_name"] for row in flows.of(flows.tools, session)] == tools


@pytest.mark.parametrize("session", ["adk", "vercel", "openllmetry", "logfire"])
def test_every_call_costs_what_the_price_list_says(flows, session):
    assert flows.run(session)["cost_usd"] == pytest.approx(2 * 0.0001572)


def test_adk_reasoning_is_counted_once_and_the_row_says_so(flows):
    calls = [step for step in flows.steps("adk", "model") if step["counted"]]
    for call in calls:
        told(call, output_tokens=90, reasoning_tokens=64, token_convention="reasoning_subtracted", finish_reason="stop")
        told(call, name="call_llm", provider="openai", dialect="google-adk", cache_read_tokens=1024)


def test_an_adk_invocation_is_one_run_whatever_traces_it_takes(flows):
    run = flows.run("adk")
    assert (run["run_id"], len(run["trace_ids"])) == ("e-77", 2)
    (handoff,) = [step for step in flows.steps("adk", "tool") if step["handoff_to"]]
    assert (handoff["handoff_to"], handoff["tool_call_id"]) == ("billing_agent", None)


def test_openllmetry_prompt_retrieval_and_guardrail(flows):
    assert {step["prompt_version"] for step in flows.steps("openllmetry", "model")} == {"7"}
    assert {step["finish_reason"] for step in flows.steps("openllmetry", "model")} == {"tool_calls", "stop"}
    assert [step["name"] for step in flows.steps("openllmetry", "retrieval")] == ["chroma.query"]
    assert [step["decision"] for step in flows.steps("openllmetry", "policy")] == ["deny"]
    (retrieval,) = flows.of(flows.lake.sql("SELECT * FROM retrievals").to_pylist(), "openllmetry")
    assert [document["db.query.result.id"] for document in json.loads(retrieval["documents"])] == ["doc-1", "doc-2"]


def test_memory_operations_name_their_store_and_records(flows):
    found = flows.of(flows.lake.sql("SELECT * FROM memory_ops ORDER BY started_at").to_pylist(), "memory")
    assert [(row["operation"], row["store"], row["read_ids"], row["write_ids"]) for row in found] == [
        ("search_memory", "notes", '["m-1"]', None), ("update_memory", "notes", None, '["m-1"]'),
        ("create_memory_store", "notes", None, None),
    ]  # fmt: skip
    told(flows.run("openllmetry"), actor="user-1", name="weather_flow.workflow")


def test_vercel_metadata_says_who_it_was_for(flows):
    told(flows.run("vercel"), actor="user-1", tenant="acme", name="ai.generateText")


def test_a_workflow_of_agent_framework_has_its_building_and_its_sending(flows):
    run = flows.run("framework")
    assert len(run["trace_ids"]) == 2
    (root,) = flows.steps("framework", "run")
    assert (root["name"], root["operation"]) == ("workflow.run", "invoke_workflow")
    assert [step["name"] for step in flows.steps("framework", "message")] == ["message.send"]
    assert [step["handoff_to"] for step in flows.steps("framework", "tool")] == [None, "billing"]
    (agent,) = flows.steps("framework", "agent")
    told(agent, provider=None, agent_id=None, input_tokens=None, counted=False)  # its total repeats its calls


def test_steps_of_an_execution_are_its_events_in_their_order(flows):
    run = flows.run("execution")
    told(run, run_id="7f3a91", status="error", stop_reason="error", steps=6)
    steps = [step for kind in ("other", "tool", "model") for step in flows.steps("execution", kind)]
    steps.sort(key=lambda step: step["start_ns"])
    assert [(step["name"], step["kind"]) for step in steps] == [
        ("plan", "other"), ("search", "tool"), ("llm_call", "model"), ("write", "tool"),
    ]  # fmt: skip
    assert [step["duration_ms"] for step in steps] == [20.0, 150.0, 400.0, 5.0]
    assert [step["status"] for step in steps] == ["ok", "ok", "ok", "error"]
    (outer,) = flows.steps("execution", "run")
    assert {step["parent_record_id"] for step in steps} == {outer["record_id"]}
    assert len({step["record_id"] for step in steps}) == len(steps)
    (nested,) = flows.steps("execution", "agent")
    told(nested, stop_reason="completed", outcome="success")


def test_tokens_of_an_executions_steps_count_where_they_say_what_they_are(flows):
    told(flows.run("execution-tokens"), model_calls=3, tool_calls=1, input_tokens=1208, output_tokens=90)
    steps = flows.steps("execution-tokens", "model")
    assert [(step["model"], step["input_tokens"], step["output_tokens"]) for step in steps] == [
        ("gpt-4o-mini", 1200, 90), (None, 8, None), (None, None, None),
    ]  # fmt: skip


def test_a_streamed_call_is_its_answer_and_a_start_marker_is_no_second_step(flows):
    told(flows.run("logfire"), steps=4, orphans=0, status="ok")
    assert [round(step["latency_ms"]) for step in flows.steps("logfire", "model")] == [1000, 2500]
    assert not any(step["operation"] == "pending_span" for step in flows.steps("logfire", "other"))


def test_a_span_that_never_ended_is_told_by_its_start_marker(flows):
    run = flows.run("agents")
    assert run["status"] in {"running", "abandoned"}
    (begun,) = [step for step in flows.steps("agents", "other") if step["operation"] == "pending_span"]
    assert begun["name"] == "OpenAI Agents trace: {name}"
    assert [step["decision"] for step in flows.steps("agents", "policy")] == ["deny"]
    assert [step["handoff_to"] for step in flows.steps("agents", "other") if step["handoff_to"]] == ["billing"]
