"""docs/runs.md names every part of a reconstruction, and its SQL runs."""

import re
from pathlib import Path

import pytest

from storage.lake import Lake
from storage.runs import reconstruct
from tests.lake_builder import span, write_lake

PAGE = (Path(__file__).parents[2] / "docs/runs.md").read_text(encoding="utf-8")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    write_lake(tmp_path, spans=[span("a", step_kind="agent")])
    return Lake.open(tmp_path)


def test_every_part_is_documented(lake: Lake) -> None:
    found = reconstruct(lake, "run-1")
    assert found is not None
    for name in (*found, *(name for name in found["completeness"] if name != "complete"), *found["graph"], *found["graph"]["agents"][0]):
        assert re.search(rf"`(\w+\.)?{name}`", PAGE) or name in {"input_tokens", "output_tokens", "cost_usd", "name"}, name


def test_the_sql_runs(lake: Lake) -> None:
    statements = re.findall(r"`(SELECT [^`]+)`", PAGE)
    assert statements
    for statement in statements:
        lake.query(statement)
