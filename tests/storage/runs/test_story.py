"""Clocks that disagree, loops, agents and hand-overs: facts about lists of steps, without a lake."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.run_row import ARGUMENTS
from storage.runs import graph, loops, story
from storage.views import view_sql

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC).replace(tzinfo=None)
BEGAN_NS = 1_795_262_400 * 1_000_000_000


def step(name: str, at: float, took: float = 1, *, service: str = "front", **columns: Any) -> dict[str, Any]:
    """A span of a run; `at` and `took` are seconds."""
    start_ns = BEGAN_NS + round(at * 1e9)
    row = {"record_id": name, "name": name, "source": "span", "kind": "other", "trace_id": "t", "span_id": name, "parent_span_id": None}
    row |= {"start_ns": start_ns, "end_ns": start_ns + round(took * 1e9), "started_at": BEGAN + timedelta(seconds=at), "status": "unset"}
    row |= {"ended_at": BEGAN + timedelta(seconds=at + took), "duration_ms": took * 1e3, "resource_attributes": {"service.name": service}}
    row |= {"agent_name": None, "handoff_to": None, "tool_name": None, "redactions": {}, "attributes": {}, "parent_record_id": None}
    row |= {"counted": False, "input_tokens": None, "output_tokens": None, "cost_usd": None, "retry_count": None, "span_kind": 1}
    return row | columns


def told(*rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    known = {(row["trace_id"], row["span_id"]) for row in rows}
    return story.tell(sorted(rows, key=lambda row: int(row["start_ns"])), known)


def call(name: str, at: float, arguments: str | None = '{"q":"x"}', *, failed: bool = False, **columns: Any) -> dict[str, Any]:
    attributes = {} if arguments is None else {ARGUMENTS[0]: arguments}
    return step(name, at, 0.1, kind="tool", tool_name="search", attributes=attributes, status="error" if failed else "ok", **columns)


def test_a_clock_that_is_behind_is_corrected_and_said() -> None:
    """The worker's steps begin five minutes before what called them; in the story they stand where they belong."""
    steps, anomalies = told(
        step("root", 0, 10), step("before", 1, parent_span_id="root"),
        step("far", -298, 2, service="worker", parent_span_id="root"), step("deep", -297.5, service="worker", parent_span_id="far"),
    )  # fmt: skip
    assert [(each["name"], each["clock_offset_ms"]) for each in steps] == [
        ("root", None), ("far", 298_000.0), ("deep", 298_000.0), ("before", None),
    ]  # fmt: skip
    (skew,) = anomalies
    assert {key: skew[key] for key in ("kind", "service", "against", "offset_ms", "corrected", "record_ids")} == {
        "kind": "skew", "service": "worker", "against": "front", "offset_ms": 298_000.0, "corrected": True, "record_ids": ["far"],
    }  # fmt: skip


def test_a_request_between_client_and_server_gives_the_middle() -> None:
    """Of all offsets that fit, the one that makes both ways equally long (as NTP does)."""
    client = step("client", 0, 1, span_kind=3)
    _, (skew,) = told(client, step("server", -10, 0.5, service="worker", parent_span_id="client", span_kind=2))
    assert skew["offset_ms"] == pytest.approx(10_250)


def test_what_no_offset_explains_is_not_corrected() -> None:
    steps, anomalies = told(
        step("root", 0, 10), step("early", -60, service="worker", parent_span_id="root"),
        step("well timed", 5, service="worker", parent_span_id="root"),
    )  # fmt: skip
    assert [each["clock_offset_ms"] for each in steps] == [None] * 3
    assert [(each["kind"], each["corrected"], each["count"]) for each in anomalies] == [("skew", False, 1)]


def test_a_service_whose_clock_is_right_is_believed() -> None:
    """A step that goes on after its parent is no anomaly, nor is a millisecond."""
    steps, anomalies = told(
        step("root", 0), step("later", 5, service="worker", parent_span_id="root"), step("ms", -0.001, parent_span_id="root")
    )
    assert anomalies == []
    assert {each["clock_offset_ms"] for each in steps} == {None}


def test_one_clock_that_goes_backwards_is_said() -> None:
    backwards = step("b", 3, parent_span_id="a") | {"end_ns": BEGAN_NS}
    _, anomalies = told(step("a", 2), step("early", 1, parent_span_id="a"), backwards, step("absurd", 4, clock_flagged=True))
    assert [(each["kind"], each["record_ids"]) for each in anomalies] == [
        ("before_parent", ["early"]), ("ends_before_start", ["b"]), ("absurd_time", ["absurd"]),
    ]  # fmt: skip


def test_the_same_call_three_times_in_a_row_is_a_loop() -> None:
    same = [call(f"c{number}", number, '{"b":1,"a":2}' if number % 2 else '{"a":2,"b":1}') for number in range(3)]
    (loop,) = loops([*same, call("other", 9, '{"a":3}')])
    assert (loop["kind"], loop["tool_name"], loop["count"], loop["in_a_row"], loop["record_ids"]) == (
        "repeated_tool_call", "search", 3, 3, ["c0", "c1", "c2"],
    )  # fmt: skip
    assert loops(same[:2]) == []


def test_five_same_calls_are_a_loop_whatever_lies_between() -> None:
    rows = [call(f"c{number}", number, '{"q":1}' if number % 2 == 0 else f'{{"q":"{number}"}}') for number in range(9)]
    (loop,) = loops(rows)
    assert (loop["count"], loop["in_a_row"]) == (5, 1)


def test_calls_whose_arguments_nobody_knows_are_no_loop() -> None:
    assert loops([call(f"c{number}", number, None) for number in range(5)]) == []
    assert loops([call(f"c{number}", number, '{"q":"<WITHHELD:timeout>"}') for number in range(5)]) == []


def test_a_loop_over_redacted_arguments_says_so() -> None:
    rows = [call(f"c{number}", number, '{"to":"<EMAIL_ADDRESS>"}', redactions={"EMAIL_ADDRESS": 1}) for number in range(3)]
    assert loops(rows)[0]["redacted"] is True


def test_a_call_that_failed_until_it_succeeded_is_a_retry() -> None:
    rows = [call("a", 0, failed=True), call("b", 1, failed=True), call("c", 2)]
    (loop,) = loops(rows)
    assert (loop["kind"], loop["count"], loop["succeeded"], loop["record_ids"]) == ("retry", 2, True, ["a", "b"])


def test_a_call_that_only_ever_fails_is_a_loop() -> None:
    (loop,) = loops([call(f"c{number}", number, failed=True) for number in range(4)])
    assert (loop["kind"], loop["count"], loop["failures"]) == ("repeated_tool_call", 4, 4)


def test_retries_that_the_agent_counted_itself_are_told() -> None:
    (loop,) = loops([call("a", 0, None, retry_count=3)])
    assert (loop["kind"], loop["count"]) == ("retry", 3)


def test_a_call_that_two_instrumentations_tell_of_is_one() -> None:
    nested = [call(f"inner{number}", number + 0.01, parent_record_id=f"outer{number}") for number in range(2)]
    outer = [call(f"outer{number}", number) for number in range(2)]
    events = [call(f"event{number}", number, source="event") for number in range(2)]
    assert loops([*outer, *nested, *events]) == []


def test_more_steps_than_sensible_are_an_explosion() -> None:
    (loop,) = loops([step(f"m{number}", number, kind="model") for number in range(501)])
    assert (loop["kind"], loop["count"], len(loop["record_ids"])) == ("step_explosion", 501, 100)


def test_arguments_are_found_where_the_view_finds_them() -> None:
    text = view_sql("tool_calls")
    assert all(f"attributes['{key}']" in text for key in ARGUMENTS)


def test_agents_within_agents_are_delegations_and_named_targets_hand_overs() -> None:
    rows = [
        step("plan", 0, 9, kind="agent", agent_name="planner"),
        step("call", 1, kind="model", parent_record_id="plan", counted=True, input_tokens=10, output_tokens=2, cost_usd=0.5),
        step("tool", 2, kind="tool", parent_record_id="plan"),
        step("research", 2, 3, kind="agent", agent_name="researcher", parent_record_id="tool"),
        step("deep", 3, kind="model", parent_record_id="research", counted=True, input_tokens=None, output_tokens=1),
        step("handoff", 6, kind="other", parent_record_id="plan", handoff_to="writer"),
        step("transfer", 6, kind="tool", parent_record_id="plan", handoff_to="writer"),
        step("write", 7, 1, kind="agent", agent_name="writer", parent_record_id="plan"),
    ]
    found = graph(rows)
    assert [(edge["from"], edge["to"], edge["kind"], edge["count"]) for edge in found["edges"]] == [
        ("planner", "researcher", "delegation", 1), ("planner", "writer", "handoff", 1),
    ]  # fmt: skip
    agents = {agent["name"]: agent for agent in found["agents"]}
    assert list(agents) == ["planner", "researcher", "writer"]
    assert agents["planner"] == {
        "name": "planner", "steps": 5, "model_calls": 1, "input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5, "duration_ms": 9000.0,
    }  # fmt: skip
    assert (agents["researcher"]["input_tokens"], agents["researcher"]["output_tokens"], agents["researcher"]["cost_usd"]) == (
        None,
        1,
        None,
    )


def test_a_run_of_nobody_has_an_empty_graph() -> None:
    assert graph([step("a", 0)]) == {"agents": [], "edges": []}
