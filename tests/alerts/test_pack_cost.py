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


def test_what_never_cost_anything_is_told_from_the_least_sum_on(agents: AgentLake) -> None:
    for day in range(1, 17):
        agents.cost(day * DAY, 0.0)
    agents.cost(HOUR, 1.0)
    assert value(agents, "CostSpike") == 1.0


def test_what_only_an_agent_knows_of_its_cost_counts(agents: AgentLake) -> None:
    """A hosted agent says what its run took, and none of its calls."""
    for day in range(1, 17):
        agents.span("agent", day * DAY, run=f"run-{day}", input_tokens=100, output_tokens=5, cost_usd=2.0)
    agents.span("agent", HOUR, run="run-0", input_tokens=1000, output_tokens=50, cost_usd=9.0)
    assert value(agents, "CostSpike") == 9.0


def test_a_dear_weekend_is_no_spike_before_five_weekends_are_known(agents: AgentLake) -> None:
    """After twenty days all days are the baseline, of which two in seven are dear; another weekend is no news, a dearer one is."""
    for agent, today in (("weekends", 12.0), ("dearer", 60.0)):
        agents.agent = agent
        for day in range(1, 21):
            agents.cost(day * DAY, 10.0 if day % 7 in (0, 6) else 2.0)
        agents.cost(HOUR, today)
    assert by("agent_name", agents, "CostSpike") == {"dearer": 60.0}


def test_a_job_that_runs_now_and_then_is_compared_with_its_own_days(agents: AgentLake) -> None:
    """Ten runs in forty days for $6 or $12: $17 is no spike, though the average Saturday is below $3; $40 is one."""
    for agent, today in (("job", 17.0), ("dear job", 40.0)):
        agents.agent = agent
        for number in range(1, 11):
            agents.cost(4 * number * DAY, 12.0 if number % 2 else 6.0)
        agents.cost(HOUR, today)
    assert by("agent_name", agents, "CostSpike") == {"dear job": 40.0}


def test_a_level_that_stands_for_two_weeks_is_the_usual(agents: AgentLake) -> None:
    """$12 since two weeks, $5 in the six weeks before: $14.50 is above twice the average Saturday, and no spike; $60 is one."""
    for agent, today in (("risen", 14.5), ("spike", 60.0)):
        agents.agent = agent
        for day in range(1, 57):
            agents.cost(day * DAY, (12.0 if day <= 14 else 5.0) + (0.1 if day % 2 else -0.1))
        agents.cost(HOUR, today)
    assert by("agent_name", agents, "CostSpike") == {"spike": 60.0}


def test_a_weekday_on_which_nothing_ever_ran_is_a_habit(agents: AgentLake) -> None:
    """Seven weeks without a Saturday: an ordinary day's cost on one is a spike."""
    for day in range(1, 50):
        if day % 7:
            agents.cost(day * DAY, 5.0)
    agents.cost(HOUR, 5.0)
    assert value(agents, "CostSpike") == 5.0
