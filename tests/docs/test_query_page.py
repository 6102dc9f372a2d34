"""docs/query.md names every view with exactly its columns, and its examples run."""

import re
from pathlib import Path

import pytest

from storage.lake import Lake
from storage.views import VIEWS
from tests.lake_builder import span, write_lake

PAGE = (Path(__file__).parents[2] / "docs/query.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    data = tmp_path_factory.mktemp("documented")
    write_lake(data, spans=[span("a")])
    return Lake.open(data)


def test_the_views_are_all_there() -> None:
    assert re.findall(r"^### `(\w+)`$", PAGE, flags=re.MULTILINE) == list(VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_is_documented_in_order(lake: Lake, view: str) -> None:
    section = PAGE.split(f"### `{view}`\n")[1].split("\n### ")[0]
    documented = re.findall(r"^\| `(\w+)` \| [a-z]+ \| .{3,} \|$", section, flags=re.MULTILINE)
    assert documented == lake.sql(f"SELECT * FROM {view} LIMIT 0").schema.names


def test_the_examples_run(lake: Lake) -> None:
    (block,) = re.findall(r"## Examples\n\n```sql\n(.*?)```", PAGE, flags=re.DOTALL)
    examples = block.strip().split(";\n")
    assert len(examples) > 2
    for example in examples:
        lake.query(example)
