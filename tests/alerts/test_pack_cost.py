"""CostSpike: what a day may cost, by the days before it. NOW is a Saturday."""

from tests.alerts.agent_lake import AgentLake
from tests.alerts.pack_rules import DAY, HOUR, by, found, value


def days_of_cost(lake: AgentLake, days: int, *, usual: float = 2.0, swing: float = 0.2) -> None:
    for day in range(1, days + 1):
        lake.cost(day * DAY, usual + (swing if day % 2 else -swing))


def test_cost_spike(agents: AgentLake) -> None:
    cases = [
        (16, 5.0, True),
        (16, 4.05, True),
        (16, 3.95, False),  # not twice the average
        (14, 5.0, True),
        (13, 5.0, False),  # no average yet
    ]
    for days, today, _ in cases:
        agents.agent = f"{today} after {days} days"
        days_of_cost(agents, days)
        agents.cost(HOUR, today)
    expected = {f"{today} after {days} days": today for days, today, fires in cases if fires}
    assert by("agent_name", agents, "CostSpike") == expected


def test_a_spike_ends_with_its_day(agents: AgentLake) -> None:
    """Days are UTC: at midnight today has cost nothing yet."""
    days_of_cost(agents, 16)
    agents.cost(HOUR, 9.0)
    assert value(agents, "CostSpike") == 9.0
    assert len(found(agents, "CostSpike", ago=-11 * HOUR)) == 1
    assert found(agents, "CostSpike", ago=-12 * HOUR) == []


def test_cents_are_no_spike(agents: AgentLake) -> None:
    days_of_cost(agents, 16, usual=0.2, swing=0.02)
    agents.cost(HOUR, 0.99)
    assert found(agents, "CostSpike") == []


def test_days_without_cost_are_days_that_cost_nothing(agents: AgentLake) -> None:
    """A job that runs every third day for $6: another such day is no spike, though the average is $2; $20 is one."""
    for day in range(3, 31, 3):
        agents.cost(day * DAY, 6.0)
    agents.cost(HOUR, 6.0)
    assert found(agents, "CostSpike") == []
    agents.cost(HOUR, 14.0)
    assert value(agents, "CostSpike") == 20.0


def test_series_that_swing_widely_need_more(agents: AgentLake) -> None:
    days_of_cost(agents, 16, usual=3.0, swing=2.5)
    agents.cost(HOUR, 7.0)
    assert found(agents, "CostSpike") == [], "more than twice the average of 3, but within the usual swing"
    agents.cost(HOUR, 40.0)
    assert value(agents, "CostSpike") == 47.0


def test_saturdays_are_compared_with_saturdays(agents: AgentLake) -> None:
    for day in range(1, 37):
        agents.cost(day * DAY, 10.0 if day % 7 == 0 else 2.0)
    agents.cost(HOUR, 11.0)
    assert found(agents, "CostSpike") == [], "every Saturday costs 10"


def test_calls_that_are_not_counted_cost_nothing(agents: AgentLake) -> None:
    days_of_cost(agents, 16)
    for number in range(2):
        agents.span("model", HOUR, cost_usd=3.9, response_id="the same", span_id=f"{number:016x}")
    assert found(agents, "CostSpike") == []


def test_cost_of_agents_is_told_apart(agents: AgentLake) -> None:
    days_of_cost(agents, 14)
    agents.cost(HOUR, 2.0)
    agents.agent = "research"
    days_of_cost(agents, 14)
    agents.cost(HOUR, 9.0)
    [row] = found(agents, "CostSpike")
    assert row.annotations["summary"] == "research has spent $9.00 on models today, far above its usual day"
