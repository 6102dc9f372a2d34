"""What truly happened where the usual reading of a framework's telemetry is wrong."""

import pytest

from tests.collector.dialects import hard_cases
from tests.sealed_flows import Flows, told

FLOWS = (
    hard_cases.vercel_versions, hard_cases.handed_on, hard_cases.adk, hard_cases.tools, hard_cases.approvals, hard_cases.services,
)  # fmt: skip


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Flows:
    return Flows(tmp_path_factory.mktemp("hard") / "data", [request for make in FLOWS for request in make()])


@pytest.mark.parametrize("session", ["v4", "v5", "v5b", "v6", "v6d", "mlflow", "framework", "logfire", "logfire2", "agno"])
def test_the_cached_tokens_of_claude_are_part_of_its_input_whoever_hands_its_counts_on(flows: Flows, session: str) -> None:
    told(flows.run(session), input_tokens=3500, cache_read_tokens=1000, cache_write_tokens=500, output_tokens=50, model_calls=1)


@pytest.mark.parametrize("session", ["v5", "mlflow", "framework", "logfire", "agno"])
def test_claude_costs_the_same_whoever_hands_its_counts_on(flows: Flows, session: str) -> None:
    assert flows.run(session)["cost_usd"] == pytest.approx(2000 * 3e-6 + 1000 * 0.3e-6 + 500 * 3.75e-6 + 50 * 15e-6)


def test_vercels_provider_metadata_has_what_its_older_versions_leave_out(flows: Flows) -> None:
    told(flows.run("v4o"), input_tokens=2000, cache_read_tokens=1024, output_tokens=150, reasoning_tokens=64)


def test_openinferences_counts_in_spans_of_adk_are_read(flows: Flows) -> None:
    told(flows.run("adk"), run_id="e-1", agent_name="planner", input_tokens=1200, output_tokens=154, reasoning_tokens=64)


@pytest.mark.parametrize("session", ["strands", "langsmith", "inference"])
def test_a_tool_whose_answer_is_a_failure_has_failed_whatever_its_span_says(flows: Flows, session: str) -> None:
    (tool,) = flows.steps(session, "tool")
    told(tool, tool_name="find", status="error", outcome="failure")
    assert flows.run(session)["errors"] == 1


def test_each_of_several_approvals_is_told(flows: Flows) -> None:
    """And each is a step of its own, with an id of its own."""
    said = [(row["tool_call_id"], row["tool_name"], row["approval_state"]) for row in flows.of(flows.approvals, "approvals")]
    assert sorted(said) == [
        ("c1", "delete", "denied"), ("c1", "delete", "requested"), ("c2", "drop", "granted"), ("c2", "drop", "requested"),
    ]  # fmt: skip
    assert len({step["record_id"] for step in flows.steps("approvals", "approval")}) == 4


def test_who_a_run_is_says_its_outermost_agent(flows: Flows) -> None:
    """Not the web request around it, and not the agents of other services below; what the agent does not say, the first that does."""
    told(flows.run("services"), agent_name="main", release="v2", session_id="services", actor="ann")


def test_steps_tell_tokens_and_cost_once_but_for_reports_of_the_same_call(flows: Flows) -> None:
    """An agent's total stands in the steps where it counts; what was sent stands in the spans."""
    (agent,) = [step for step in flows.steps("services", "agent") if step["agent_name"] == "main"]
    told(agent, counted=False, input_tokens=None, output_tokens=None, cost_usd=None, cost_source=None)
    assert agent["attributes"]["gen_ai.usage.input_tokens"] == "200"
    sums = flows.read("SELECT sum(input_tokens)::BIGINT AS tokens, run_id FROM steps GROUP BY ALL")
    assert {row["run_id"]: row["tokens"] for row in sums} == {run["run_id"]: run["input_tokens"] for run in flows.runs}
