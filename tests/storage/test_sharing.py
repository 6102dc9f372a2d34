"""Queries of one moment share tables, and answer as they would alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from storage.errors import QueryRefused
from storage.lake import Lake
from storage.sharing import Question, SharedTables
from tests.lake_builder import START_NS, event, metric, model, span, write_lake

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


READ = (
    "spans", "events", "metrics", "steps", "runs", "model_calls", "tool_calls", "retrievals", "retrieval_issues", "approvals", "evals",
    "policy_decisions", "task_transitions", "queues", "heartbeats", "security_events", "resilience_events", "assurance_checks",
    "audit_writes", "redaction_log",
)  # fmt: skip
PLAIN = {
    "spans": [
        span("root", id="root", step_kind="agent", redactions={"EMAIL": 2}),
        model("m1", id="m1", parent="root", at=1, response_id="r1", scope_name="one"),
        model("m2", id="m2", parent="root", at=2, response_id="r1", scope_name="two"),
        span("lookup", id="t1", parent="root", at=3, step_kind="tool", tool_name="lookup", status_code=2),
        span("search", id="s1", parent="root", at=4, step_kind="retrieval", attributes={"auditlake.retrieval.citation_failures": "2"}),
        span("score", id="e1", parent="root", at=5, step_kind="eval", eval_name="quality", eval_passed=True),
        span("allow", id="p1", parent="root", at=6, step_kind="policy", decision="allow"),
    ],
    "events": [
        event("heartbeat", at=1, step_kind="heartbeat"),
        event("task", at=2, attributes={"auditlake.task.id": "1", "auditlake.task.state": "created"}),
        event("queue.depth", at=3, attributes={"auditlake.queue.name": "q", "auditlake.queue.depth": "4"}),
        event("security", at=4, attributes={"auditlake.security.category": "injection"}),
        event("retrieval.issue", at=5, inside="s1", trace="trace-1", attributes={"auditlake.retrieval.issue": "stale_source"}),
        event("resilience.retry", at=6, attributes={"auditlake.resilience.attempt": "2"}),
        event("trust.handshake", at=7, outcome="success", latency_ms=3.0),
    ],
    "metrics": [
        metric("auditlake.queue.depth", value=3.0, at=1, attributes={"auditlake.queue.name": "q"}),
        metric(
            "auditlake.ack.duration", type="histogram", scope_name="auditlake.collector", at=2, count=3, max=0.004,
            bucket_bounds=[0.005], bucket_counts=[3, 0], attributes={"class": "audit"},
        ),
    ],
}  # fmt: skip
RICH = {
    "spans": [
        *PLAIN["spans"],
        span("paid", id="a1", trace="trace-2", run="run-2", step_kind="agent", input_tokens=10, output_tokens=1, sent_cost_usd=0.1),
        span("ask", id="w1", trace="trace-2", run="run-2", at=1, step_kind="tool", tool_name="refund", approval_state="requested"),
        span("wait", id="w2", trace="trace-2", run="run-2", at=2, operation="pending_span", dialect="logfire"),
        span("bash", id="c1", trace="trace-3", run="run-3", step_kind="tool", tool_name="bash", dialect="claude-code"),
    ],
    "events": [*PLAIN["events"], event("tool_result", run="run-3", at=1, step_kind="tool", tool_name="bash", dialect="claude-code")],
    "metrics": PLAIN["metrics"],
}


Sealed = tuple[Path, dict[str, list[dict[str, Any]]]]
"""A lake, and the rows of its views."""
AT_END = START_NS + 60 * MINUTE_NS


@pytest.fixture(scope="module", params=[PLAIN, RICH], ids=["plain", "rich"])
def sealed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    data = tmp_path_factory.mktemp("sealed")
    write_lake(data, **request.param)
    with Lake.open(data, threads=1, clock=lambda: AT_END) as lake:
        alone = {view: lake.sql(f"SELECT * FROM {view}", rows=(START_NS, None)).to_pylist() for view in READ}
    assert {view for view, found in alone.items() if not found} == ({"approvals"} if request.param is PLAIN else set()), (
        "the others have rows"
    )
    return data, alone


@pytest.mark.parametrize(
    ("columns", "least_copied"), [(None, 2), (1, 2), (2, 99)], ids=["all columns of a copy", "one of a copy", "two of the files"]
)
def test_tables_are_the_views(
    sealed: Sealed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int | None, least_copied: int
) -> None:
    """Of every view, whatever its rows are, also where it has none; and what is sealed during a round is of the next one."""
    monkeypatch.setattr("storage.sharing.LEAST_COPIED", least_copied)
    data, alone = shutil.copytree(sealed[0], tmp_path / "lake"), sealed[1]
    with Lake.open(data, threads=1, clock=lambda: AT_END) as lake, structlog.testing.capture_logs() as lines:
        names = {view: lake.sql(f"SELECT * FROM {view} LIMIT 0").schema.names[:columns] for view in READ}
        listed = {view: ", ".join(f'"{name}"' for name in found) for view, found in names.items()}
        texts = {view: f"SELECT {these} FROM {view}" for view, these in listed.items()}
        questions = [Question(text=text + again, from_ns=START_NS) for text in texts.values() for again in ("", " -- again")]
        with SharedTables(lake).during(questions) as answering:
            write_lake(data, **PLAIN)
            for view, text in texts.items():
                expected = [{name: row[name] for name in names[view]} for row in alone[view]]
                assert sorted(answering.query(text, from_ns=START_NS).to_pylist(), key=repr) == sorted(expected, key=repr), view
    assert [line for line in lines if line["log_level"] == "warning"] == []


def test_windows_of_few_rows_are_one(lake: Lake) -> None:
    questions = [Question(text=BY_TOOL, from_ns=START_NS), Question(text=FAILED, from_ns=START_NS - 90 * MINUTE_NS)]
    with SharedTables(lake).during(questions) as answering:
        assert "old" in answering.query(BY_TOOL, from_ns=START_NS)["tool_name"].to_pylist()


def test_windows_of_many_rows_stay_apart(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.sharing.MOST_COPIED_ROWS", 3)
    end = START_NS + MINUTE_NS
    old = Question(text=FAILED, from_ns=START_NS - 90 * MINUTE_NS, to_ns=end)
    questions = [old, *(Question(text=text, from_ns=START_NS, to_ns=end) for text in (BY_TOOL, FAILED))]
    with SharedTables(lake).during(questions) as answering:
        assert "old" not in answering.query(BY_TOOL, from_ns=START_NS, to_ns=end)["tool_name"].to_pylist()
        assert "old" in answering.query(BY_TOOL, from_ns=old.from_ns, to_ns=end)["tool_name"].to_pylist()


def test_what_is_asked_twice_is_held_for_the_third_time(tmp_path: Path) -> None:
    write_lake(tmp_path, **PLAIN)
    with Lake.open(tmp_path, threads=1) as lake, SharedTables(lake).during([]) as answering:
        text = "SELECT count(*) AS n FROM tool_calls"
        found = [answering.query(text, from_ns=START_NS).to_pylist() for _ in range(2)]
        write_lake(tmp_path, **PLAIN)
        assert [*found, answering.query(text, from_ns=START_NS).to_pylist()] == [[{"n": 1}]] * 3
        assert lake.query(text).to_pylist() == [{"n": 2}]


def test_what_no_table_covers_sees_no_row_before_its_window(lake: Lake) -> None:
    with SharedTables(lake).during([]) as answering:
        assert "old" not in answering.query(BY_TOOL, from_ns=START_NS)["tool_name"].to_pylist()


def test_queries_that_are_asked_together_share_what_they_name_within(tmp_path: Path) -> None:
    """A query around them may say `*`; views of what is in no file stand beside the tables."""
    write_lake(tmp_path, **PLAIN)
    within = ["SELECT tool_name, 1 AS value FROM tool_calls, ingest_log", "SELECT tool_name, 2 AS value FROM tool_calls"]
    texts = {text: f"SELECT * EXCLUDE (value), sum(value)::BIGINT AS number FROM ({text}) GROUP BY ALL" for text in within}
    with (
        Lake.open(tmp_path, threads=1) as lake,
        SharedTables(lake).during([Question(text=texts[text], from_ns=START_NS, within=text) for text in within]) as answering,
    ):
        write_lake(tmp_path, **PLAIN)
        found = answering.together(texts, shared=["tool_calls"], from_ns=START_NS)
        assert [found[text].to_pylist() for text in within] == [[{"tool_name": "lookup", "number": number}] for number in (1, 2)]
