"""What the tests of the rules share."""

from pathlib import Path

import pytest

from tests.alerts.agent_lake import AgentLake


@pytest.fixture
def agents(tmp_path: Path) -> AgentLake:
    """An empty lake of agents."""
    return AgentLake(tmp_path)
