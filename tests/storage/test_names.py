"""Names for grouping: ids inside them are folded, the number of names is bounded, and what was folded is visible."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.lake import Lake
from tests.lake_builder import span, write_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data = tmp_path_factory.mktemp("names")
    spans = [
        span(f"agent.execution.{number:032x}", id=f"s{number}", at=number / 1000, tool_name=f"tool-{number % 50}") for number in range(200)
    ]
    write_lake(data, spans=[*spans, *(span("chat", id=f"c{number}", tool_name="tool-0") for number in range(30))])
    with Lake.open(data) as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "grouped"),
    [
        ("agent.execution.9c1b7e52a04f", "agent.execution.*"), ("agent.execution.7", "agent.execution.*"),
        ("agent.execution.550e8400-e29b-41d4-a716-446655440000", "agent.execution.*"), ("step.12.search", "step.*.search"),
        ("GET /orders/40181/items/2", "GET /orders/*/items/*"), ("call_9c1b7e52", "call_*"), ("toolu_01AbCd9fGh2", "toolu_*"),
        ("ticket-40181", "ticket-*"), ("refund#81", "refund#*"), ("worker[12]", "worker[*]"), ("a1b2c3d4", "*"), ("12", "*"),
        ("DEADBEEF01 and deadbeef02", "* and *"), ("20ab12cd", "*"),
    ],
)  # fmt: skip
def test_ids_inside_names_are_folded(lake: Lake, name: str, grouped: str) -> None:
    (row,) = lake.query(
        "SELECT normalised_name($name) AS name, normalised_name(normalised_name($name)) AS again", params={"name": name}
    ).to_pylist()
    assert (row["name"], row["again"]) == (grouped, grouped), "and once is enough"


@pytest.mark.parametrize(
    "name",
    [
        "invoke_agent support", "chat gpt-4o", "chat gpt-4o-2024-07-18", "chat claude-sonnet-4-20250514", "chat gpt-4.1",
        "chat gpt-3.5-turbo", "chat claude-3-5-sonnet", "chat llama-3.1-70b", "text-embedding-3-small", "execute_tool s3.get", "v2",
        "v1beta2", "python3.11", "o3", "added facade", "", "ünïcode 💥", "step.search",
    ],
)  # fmt: skip
def test_words_models_and_versions_stay(lake: Lake, name: str) -> None:
    (row,) = lake.query("SELECT normalised_name($name) AS name", params={"name": name}).to_pylist()
    assert row["name"] == name


def test_an_unknown_name_stays_unknown(lake: Lake) -> None:
    (row,) = lake.query("SELECT normalised_name(NULL) AS a, bounded_name(NULL, ['x']) AS b, bounded_name('y', ['x']) AS c").to_pylist()
    assert row == {"a": None, "b": None, "c": "(other)"}


def test_spans_of_one_sort_are_one_group(lake: Lake) -> None:
    rows = lake.query("SELECT normalised_name(name) AS name, count(*) AS n FROM steps GROUP BY 1 ORDER BY n DESC").to_pylist()
    assert rows == [{"name": "agent.execution.*", "n": 200}, {"name": "chat", "n": 30}]


def test_the_number_of_series_is_bounded_and_the_sum_is_whole(lake: Lake) -> None:
    """The most frequent names, equals in alphabetical order, and one row for all others that says how many there are."""
    rows = lake.query("""
        WITH kept AS (SELECT top_names(tool_name, 3) AS names FROM steps)
        SELECT bounded_name(tool_name, kept.names) AS tool, count(*) AS n, count(DISTINCT tool_name) AS names
        FROM steps, kept GROUP BY 1 ORDER BY n DESC, tool
    """).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("(other)", 188, 47), ("tool-0", 34, 1), ("tool-1", 4, 1), ("tool-10", 4, 1)]


def test_the_example_of_the_vocabulary_page_runs(lake: Lake) -> None:
    page = (Path(__file__).parents[2] / "docs/vocabulary.md").read_text(encoding="utf-8")
    (sql,) = [block.split("```")[0] for block in page.split("```sql\n")[1:]]
    assert [row["name"] for row in lake.query(sql).to_pylist()] == ["agent.execution.*", "chat"]
