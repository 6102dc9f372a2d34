"""Queries of one moment share tables, and answer as they would alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import QueryRefused
from storage.lake import Lake
from storage.sharing import Question, SharedTables
from tests.lake_builder import START_NS, event, model, span, write_lake

MINUTE_NS = 60_000_000_000
BY_TOOL = "SELECT tool_name, count(*) AS value FROM tool_calls GROUP BY ALL ORDER BY tool_name"
FAILED = "SELECT t.tool_name, count(*) AS value FROM tool_calls AS t WHERE t.status = 'error' GROUP BY ALL ORDER BY tool_name"
COST = "SELECT sum(cost_usd) AS value FROM model_calls WHERE counted AND started_at > $since"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    data: Path = tmp_path_factory.mktemp("lake")
    calls = [
        span(f"t{at}", id=f"t{at}", step_kind="tool", tool_name=f"tool-{at % 2}", at=at, status_code=2 * (at % 3 == 0)) for at in range(9)
    ]
    old = span("old", id="old", step_kind="tool", tool_name="old", at=-3600)
    write_lake(data, spans=[*calls, old, model("m", at=1)], events=[event("heartbeat", step_kind="heartbeat")])
    with Lake.open(data, threads=1) as opened:
        yield opened


def test_answers_are_those_of_the_views(lake: Lake) -> None:
    with SharedTables(lake).during([Question(text=text, from_ns=START_NS) for text in (BY_TOOL, FAILED)]) as answering:
        for text in (BY_TOOL, FAILED):
            alone = lake.query(text + " -- alone", from_ns=START_NS).to_pylist()
            assert answering.query(text, from_ns=START_NS).to_pylist() == [row for row in alone if row["tool_name"] != "old"]
            assert len(answering.query(text, from_ns=START_NS)) > 0


def test_rows_that_begin_before_the_window_are_in_no_table(lake: Lake) -> None:
    """Which files hold them does not matter, so that the answer is the same before and after compaction."""
    with SharedTables(lake).during([Question(text=text, from_ns=START_NS) for text in (BY_TOOL, FAILED)]) as answering:
        assert "old" not in answering.query(BY_TOOL, from_ns=START_NS)["tool_name"].to_pylist()


def test_what_no_table_covers_is_asked_of_the_lake(lake: Lake) -> None:
    """Another view, another window, another column, a star."""
    with SharedTables(lake).during([Question(text=text, from_ns=START_NS) for text in (BY_TOOL, FAILED, COST)]) as answering:
        params = {"since": lake.query("SELECT min(started_at) AS at FROM steps")["at"][0].as_py()}
        assert answering.query(COST, params=params, from_ns=START_NS).to_pylist() == [{"value": 0.5}]
        assert answering.query("SELECT count(*) AS n FROM heartbeats", from_ns=START_NS).to_pylist() == [{"n": 1}]
        assert "old" in answering.query(BY_TOOL, from_ns=START_NS - 90 * MINUTE_NS)["tool_name"].to_pylist()
        assert answering.query("SELECT max(agent_name) AS agent FROM tool_calls", from_ns=START_NS).to_pylist() == [{"agent": "support"}]
        assert "duration_ms" in answering.query("SELECT * FROM tool_calls", from_ns=START_NS).schema.names


def test_a_query_that_is_refused_is_refused_when_it_is_asked(lake: Lake) -> None:
    bad = "SELECT nothing AS value FROM tool_calls"
    with SharedTables(lake).during([Question(text=text, from_ns=START_NS) for text in (BY_TOOL, FAILED, bad, "DROP TABLE x")]) as answering:
        with pytest.raises(QueryRefused, match="nothing"):
            answering.query(bad, from_ns=START_NS)
        with pytest.raises(QueryRefused, match="SELECT"):
            answering.query("DROP TABLE x", from_ns=START_NS)
        assert len(answering.query(BY_TOOL, from_ns=START_NS)) == 2


def test_the_tables_are_gone_with_the_round(lake: Lake) -> None:
    with SharedTables(lake).during([Question(text=text, from_ns=START_NS) for text in (BY_TOOL, FAILED)]):
        pass
    assert "old" in lake.query(BY_TOOL)["tool_name"].to_pylist()


def test_functions_of_ours_are_there_in_the_first_round(lake: Lake) -> None:
    texts = ["SELECT normalised_name(tool_name) AS tool FROM tool_calls", "SELECT count(*) AS value FROM tool_calls"]
    with (
        Lake.open(lake.data, threads=1) as fresh,
        SharedTables(fresh).during([Question(text=text, from_ns=START_NS) for text in texts]) as answering,
    ):
        assert set(answering.query(texts[0], from_ns=START_NS)["tool"].to_pylist()) == {"tool-0", "tool-1"}
