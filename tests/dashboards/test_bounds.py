"""Names of agents and models beyond the cap are one row, which says how many they are; sums stay whole."""

from datetime import datetime
from pathlib import Path

import pytest

from dashboards.reads import text
from storage.lake import Lake
from tests.lake_builder import model, write_lake

START = {"start": datetime(2026, 11, 21)}  # noqa: DTZ001 - naive UTC
AGENTS = 20


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    calls = [
        model(
            f"m{at}",
            at=at,
            cost=float(AGENTS - at),
            agent_name=f"agent-{at:02}",
            redactions={"EMAIL_ADDRESS": AGENTS - at},
            step_kind="model",
        )
        for at in range(AGENTS)
    ]
    write_lake(tmp_path / "lake", spans=calls)
    return Lake.open(tmp_path / "lake")


def test_spend_by_agent_has_twelve_bars_and_one_for_the_rest(lake: Lake) -> None:
    rows = [row for row in lake.sql(text("overview_cost"), START).to_pylist() if row["part"] == "agent"]
    assert [row["name"] for row in rows] == [*(f"agent-{at:02}" for at in range(12)), "(other)"]
    assert (rows[-1]["names"], rows[-1]["calls"], rows[-1]["cost_usd"]) == (8, 8, sum(range(1, 9)))
    assert sum(row["cost_usd"] for row in rows) == sum(range(1, AGENTS + 1))


def test_redactions_by_agent_are_folded_too(lake: Lake) -> None:
    rows = lake.sql(text("overview_redactions"), START).to_pylist()
    (other,) = [row for row in rows if row["agent_name"] == "(other)"]
    assert (len(rows), other["agents"], sum(row["found"] for row in rows)) == (13, 8, sum(range(1, AGENTS + 1)))
