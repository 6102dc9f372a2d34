"""AuditWriteLatency: the percentile of durable acknowledgements, from the histograms that collectors report."""

from collections.abc import Mapping

import pytest

from tests.alerts.agent_lake import AgentLake
from tests.alerts.pack_rules import MINUTE, value

INF = float("inf")


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({5.0: 98, 50.0: 2}, 50.0),  # two in a hundred took longer than 20 ms
        ({5.0: 99, 50.0: 1}, None),
        ({20.0: 100}, None),
        ({50.0: 19}, None),  # too few to have a 99th percentile
        ({50.0: 20}, 50.0),
        ({5.0: 50, INF: 50}, 400.0),  # beyond the last bound: the longest
    ],
)
def test_audit_write_latency(agents: AgentLake, counts: Mapping[float, int], expected: float | None) -> None:
    agents.acks(MINUTE, counts)
    assert value(agents, "AuditWriteLatency") == expected


def test_reports_of_the_window_are_added_and_bulk_does_not_count(agents: AgentLake) -> None:
    agents.acks(MINUTE, {5.0: 97})
    agents.acks(2 * MINUTE, {100.0: 3})
    agents.acks(MINUTE, {100.0: 1000}, kind="bulk")
    agents.acks(6 * MINUTE, {100.0: 1000})
    assert value(agents, "AuditWriteLatency") == 100.0
