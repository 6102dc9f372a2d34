"""AgentDown, HighErrorRate and RunawayAgent: each at its threshold, not just below it, not without data, and over when it is over."""

from datetime import timedelta

import pytest

from tests.alerts.agent_lake import NOW, AgentLake, unix_ns
from tests.alerts.pack_rules import DAY, HOUR, MINUTE, SECOND, by, found, value

# AgentDown


def test_agent_down(agents: AgentLake) -> None:
    cases = [
        (30 * MINUTE + SECOND, None, True),
        (30 * MINUTE, None, False),
        (181 * SECOND, 60.0, True),
        (180 * SECOND, 60.0, False),
        (61 * SECOND, 5.0, True),
        (60 * SECOND, 5.0, False),  # never shorter than a minute
        (8 * DAY, 60.0, False),  # forgotten
    ]
    for silence, interval, _ in cases:
        agents.agent = f"{silence} of {interval}"
        agents.beat(silence, interval_seconds=interval)
    expected = {f"{silence} of {interval}": silence.total_seconds() for silence, interval, fires in cases if fires}
    assert by("agent_name", agents, "AgentDown") == expected


def test_agent_down_recovers_with_the_next_beat(agents: AgentLake) -> None:
    agents.beat(2 * HOUR, interval_seconds=60)
    agents.beat(10 * SECOND, interval_seconds=60)
    assert found(agents, "AgentDown") == []
    assert len(found(agents, "AgentDown", ago=HOUR)) == 1, "and an hour ago it was down"


def test_an_agent_that_said_goodbye_is_not_down(agents: AgentLake) -> None:
    agents.beat(2 * HOUR, interval_seconds=60)
    agents.beat(2 * HOUR - SECOND, shutdown=True)
    assert found(agents, "AgentDown") == []


def test_an_agent_that_came_back_after_goodbye_can_be_down_again(agents: AgentLake) -> None:
    agents.beat(3 * HOUR, shutdown=True)
    agents.beat(2 * HOUR, interval_seconds=60)
    assert value(agents, "AgentDown") == 7200


def test_a_hung_agent_that_still_sends_spans_is_down(agents: AgentLake) -> None:
    agents.beat(HOUR, interval_seconds=60)
    agents.span("model", SECOND)
    [row] = found(agents, "AgentDown")
    assert (row.value, row.labels["state"]) == (3600, "hung")


def test_an_agent_that_never_declared_a_heartbeat_is_not_down(agents: AgentLake) -> None:
    agents.span("model", 3 * HOUR)
    assert found(agents, "AgentDown") == []


def test_agents_are_told_apart(agents: AgentLake) -> None:
    agents.beat(HOUR, interval_seconds=60)
    agents.agent = "billing"
    agents.beat(2 * HOUR, interval_seconds=60)
    labels = [(row.labels["agent_name"], row.annotations["summary"]) for row in found(agents, "AgentDown")]
    assert sorted(labels) == [
        ("billing", "billing is down: no heartbeat for 2h"),
        ("support", "support is down: no heartbeat for 1h"),
    ]


# HighErrorRate


def test_high_error_rate(agents: AgentLake) -> None:
    cases = [(20, 5, True), (20, 4, False), (19, 19, False), (100, 21, True), (100, 20, False)]
    for calls, errors, _ in cases:
        agents.agent = run = f"{errors} of {calls}"
        for number in range(calls):
            if number % 2:
                agents.tool(MINUTE, error=number < errors, run=run)
            else:
                agents.span("model", MINUTE, error=number < errors, run=run)
    expected = {f"{errors} of {calls}": errors / calls for calls, errors, fires in cases if fires}
    assert by("agent_name", agents, "HighErrorRate") == pytest.approx(expected)


def test_errors_of_another_agent_or_time_do_not_count(agents: AgentLake) -> None:
    for number in range(40):
        agents.tool(16 * MINUTE if number % 2 else MINUTE, error=bool(number % 2))
    agents.agent = "billing"
    for _ in range(19):
        agents.tool(MINUTE, error=True)
    assert found(agents, "HighErrorRate") == []


def test_attempts_that_were_made_again_do_not_count(agents: AgentLake) -> None:
    """On-call hears of calls that failed in the end: 8 of 20, and not of 28 failures in 40."""
    for number in range(10):
        for attempt in range(3):
            agents.tool(MINUTE - attempt * SECOND, error=attempt < 2 or number < 4, arguments={"order": number}, run=f"run-{number}")
        agents.span("model", MINUTE, error=number < 4, run=f"run-{number}")
    assert value(agents, "HighErrorRate") == pytest.approx(8 / 20)


def test_a_call_that_took_long_counts_when_it_ends(agents: AgentLake) -> None:
    """A tool that times out after ten minutes began before the last quarter of an hour; one that ended before it is over."""
    for agent, ended in (("waited", MINUTE), ("before", 16 * MINUTE)):
        agents.agent = agent
        end = unix_ns(NOW - ended)
        for number in range(20):
            agents.tool(ended + 10 * MINUTE, error=True, run=f"{agent}-{number}", end_ns=end, end_time=end // 1000)
    assert by("agent_name", agents, "HighErrorRate") == {"waited": 1.0}


# RunawayAgent


def test_the_same_call_again_and_again(agents: AgentLake) -> None:
    for calls in (5, 4):
        for number in range(calls):
            agents.tool(MINUTE, arguments={"order": 81}, tool_call_id=f"c{number}", run=f"{calls} calls")
    assert by("run_id", agents, "RunawayAgent") == {"5 calls": 5}


def test_other_arguments_another_tool_or_run_are_no_repetition(agents: AgentLake) -> None:
    for number in range(5):
        agents.tool(MINUTE, arguments={"order": number})
        agents.tool(MINUTE, arguments={"order": 1}, tool_name=f"t{number}")
        agents.tool(MINUTE, arguments={"order": 1}, run=f"run-{number + 5}")
        agents.tool(MINUTE)  # arguments that were not captured cannot be compared
    assert found(agents, "RunawayAgent") == []


def test_one_call_reported_twice_is_one(agents: AgentLake) -> None:
    for number in range(8):
        agents.tool(MINUTE, arguments={"order": 81}, tool_call_id=f"c{number % 4}")
    assert found(agents, "RunawayAgent") == []


def test_too_many_steps(agents: AgentLake) -> None:
    for steps in (201, 200):
        for _ in range(steps):
            agents.span("retrieval", MINUTE, run=f"{steps} steps")
    rows = found(agents, "RunawayAgent")
    assert [(row.labels["reason"], row.labels["run_id"], row.value) for row in rows] == [("too many steps", "201 steps", 201.0)]


def test_too_many_tokens_a_minute(agents: AgentLake) -> None:
    for tokens in (1_000_001, 1_000_000):
        agents.span("model", MINUTE, input_tokens=tokens - 400_000, output_tokens=400_000, run=f"{tokens} tokens")
    rows = found(agents, "RunawayAgent")
    assert [(row.labels["reason"], row.labels["run_id"]) for row in rows] == [("too many tokens a minute", "1000001 tokens")]


def test_a_run_that_ended_its_loop_is_forgotten(agents: AgentLake) -> None:
    for _ in range(9):
        agents.tool(20 * MINUTE, arguments={"order": 81})
    assert found(agents, "RunawayAgent") == []
    assert value_at(agents, 10 * MINUTE) == 9


def value_at(lake: AgentLake, ago: timedelta) -> float | None:
    [row] = found(lake, "RunawayAgent", ago=ago)
    return row.value
