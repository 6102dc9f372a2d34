"""The list of runs, and one run reconstructed: a tree, what is missing from it, and where its records stand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.catalog_rows import CatalogRows
from storage.errors import StorageError
from storage.lake import Lake
from storage.runs import RunFilter, find, list_runs, page_runs, reconstruct
from tests.lake_builder import START_NS, event, model, span, write_lake

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).replace(tzinfo=None)


def lake_of(data: Path, **rows: Any) -> Lake:
    write_lake(data, **rows)
    return Lake.open(data, clock=lambda: START_NS + 3600 * 1_000_000_000)


def many(count: int) -> list[dict[str, Any]]:
    return [
        span(
            f"job {number}", run=f"run-{number}", trace=f"trace-{number}", id=f"s{number}", at=number * 60, took=number + 1,
            step_kind="agent", agent_name="even" if number % 2 == 0 else "odd", tenant="acme",
            release=f"1.{number}", status_code=2 * (number == 3),
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Six runs, the first with a call of a model, the second with one of a tool."""
    inner = [model("m", run="run-0", trace="trace-0"), span("t", run="run-1", trace="trace-1", step_kind="tool", tool_name="search", at=61)]
    with lake_of(tmp_path_factory.mktemp("six"), spans=[*many(6), *inner]) as lake:
        yield lake


def test_the_newest_runs_come_first_with_the_number_of_all(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=many(7)) as lake:
        page = page_runs(lake, RunFilter(limit=2, offset=1))
        assert ([row["run_id"] for row in page.rows], page.total) == (["run-5", "run-4"], 7)
        assert page_runs(lake, RunFilter(offset=100)).rows == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"agent": "odd"}, [1, 3, 5]), ({"status": "error"}, [3]), ({"release": "1.4"}, [4]), ({"tenant": "nobody"}, []),
        ({"text": "JOB 2"}, [2]), ({"text": "%"}, []), ({"min_duration_ms": 5000.0}, [4, 5]),
        ({"since": NOON + timedelta(minutes=4)}, [4, 5]),
        ({"until": NOON + timedelta(minutes=1)}, [0, 1]), ({"model": "gpt-5"}, [0]), ({"tool": "search"}, [1]),
        ({"min_cost_usd": 0.4}, [0]),
        ({"agent": "' OR 1=1 --"}, []),
    ],
)  # fmt: skip
def test_filters(six: Lake, wanted: dict[str, Any], expected: list[int]) -> None:
    assert sorted(row["run_id"] for row in list_runs(six, RunFilter(**wanted))) == [f"run-{number}" for number in expected]


def test_sorting_is_by_known_columns_only(six: Lake) -> None:
    found = list_runs(six, RunFilter(sort="duration_ms", descending=False))
    assert [row["run_id"] for row in found] == [f"run-{number}" for number in range(6)]
    with pytest.raises(StorageError, match="choose one of"):
        list_runs(six, RunFilter(sort="1; DROP VIEW runs"))


def test_a_run_that_began_long_before_the_window_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Its first records lie in files that the window leaves out."""
    write_lake(tmp_path, spans=[span("root", at=-5 * 3600, took=6 * 3600, step_kind="agent")])
    with lake_of(tmp_path, spans=[span("late", parent="root", at=60), span("new", run="run-2", trace="trace-2", at=61)]) as lake:
        assert [row["run_id"] for row in list_runs(lake, RunFilter(since=NOON))] == ["run-2"]
        (row,) = [row for row in list_runs(lake, RunFilter(since=NOON - timedelta(hours=5))) if row["run_id"] == "run-1"]
        assert (row["orphans"], row["name"]) == (0, "root")


def test_a_reconstruction_is_one_ordered_tree(tmp_path: Path) -> None:
    spans = [
        span("tool", parent="agent", at=2, step_kind="tool"), model("model", parent="agent", at=1),
        span("agent", step_kind="agent", took=5),
        span("http", parent="model", at=1.1),
    ]  # fmt: skip
    policy = event("policy.decision", trace="trace-1", inside="tool", at=2.1, step_kind="policy", decision="allow")
    with lake_of(tmp_path, spans=spans, events=[policy]) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    tree = [(step["depth"], step["name"], step["kind"]) for step in found["steps"]]
    assert tree == [
        (0, "agent", "agent"), (1, "model", "model"), (2, "http", "other"), (1, "tool", "tool"), (2, "policy.decision", "policy"),
    ]  # fmt: skip
    ids = {step["name"]: step["record_id"] for step in found["steps"]}
    assert {step["name"]: step["parent_record_id"] for step in found["steps"]} == {
        "agent": None, "model": ids["agent"], "http": ids["model"], "tool": ids["agent"], "policy.decision": ids["tool"],
    }  # fmt: skip
    assert found["run"]["run_id"] == "run-1"
    assert found["completeness"]["complete"] is True
    assert found["integrity"] == {**found["integrity"], "verified": None, "state": "unverified"}
    assert found["integrity"]["origins"] == [{"origin": "node/collector", "entries": [1]}]


def test_steps_carry_their_content(tmp_path: Path) -> None:
    links = [{"trace_id": "t", "span_id": "s", "attributes": [("k", "v")]}]
    said = span("a", attributes={"k": "v"}, links=links, events=[{"name": "e", "attributes": [("x", "y")]}])
    with lake_of(tmp_path, spans=[said], events=[event("b", body="text", at=1)]) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    first, second = found["steps"]
    assert (first["attributes"], first["links"][0]["attributes"], first["events"][0]["attributes"]) == ({"k": "v"}, {"k": "v"}, {"x": "y"})
    assert (second["body"], second["started_at"], second["source"]) == ("text", NOON + timedelta(seconds=1), "event")


def test_an_unknown_run_is_none(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=[span("a")]) as lake:
        assert reconstruct(lake, "nothing") is None


def test_orphans_stand_at_the_top_and_are_counted(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=[span("a", parent="lost"), span("b", parent="a", at=1)]) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    assert [(step["name"], step["depth"], step["orphan"]) for step in found["steps"]] == [("a", 0, True), ("b", 1, False)]
    complete = found["completeness"]
    assert (complete["orphans"], complete["missing_parents"], complete["complete"]) == (1, ["lost"], False)


def test_a_cycle_hides_no_step(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=[span("a", parent="b"), span("b", parent="a", at=1), span("c", parent="c", at=2)]) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    assert sorted(step["name"] for step in found["steps"]) == ["a", "b", "c"]


def numbered(first: int | None, last: int, *, declared: int | None = None) -> dict[str, Any]:
    """A run that began (number 1) with a step of number 4; it ended unless `first` is None."""
    root = span("run", step_kind="run", sequence=first, took=9, sequence_last=declared)
    step = span("a", parent="run", sequence=last)
    return {"spans": [step] if first is None else [root, step], "events": [event("run.started", sequence=1)]}


def test_missing_numbers_include_those_that_the_end_declared(tmp_path: Path) -> None:
    """The last records of a run are lost like any other: the list and the reconstruction say the same."""
    with lake_of(tmp_path, **numbered(2, 4, declared=6)) as lake:
        found = reconstruct(lake, "run-1")
        (row,) = list_runs(lake, RunFilter())
    assert found is not None
    complete = found["completeness"]
    assert (complete["missing_numbers"], complete["gaps"], complete["highest_number"]) == ([3, 5, 6], 3, 6)
    assert (found["run"]["gaps"], row["gaps"], complete["complete"]) == (3, 3, False)


def test_a_false_end_that_declares_any_number_costs_nothing(tmp_path: Path) -> None:
    with lake_of(tmp_path, **numbered(2, 3, declared=2**63 - 1)) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    complete = found["completeness"]
    assert (complete["gaps"], len(complete["missing_numbers"]), complete["missing_numbers"][0]) == (2**63 - 4, 100, 4)


def test_numbers_of_a_live_run_are_not_missing_yet(tmp_path: Path) -> None:
    """A step has its number when it begins and its record when it ends: open steps are no gaps. When the run is given up they are."""
    write_lake(tmp_path, **numbered(None, 4))
    for minutes, status, gaps, missing in ((10, "running", None, []), (60, "abandoned", 2, [2, 3])):
        with Lake.open(tmp_path, clock=lambda: START_NS + minutes * 60_000_000_000) as lake:  # noqa: B023
            found = reconstruct(lake, "run-1")
            assert found is not None
            complete = found["completeness"]
            assert (found["run"]["status"], found["run"]["gaps"], complete["gaps"], complete["missing_numbers"]) == (
                status, gaps, gaps, missing,
            )  # fmt: skip
            assert [row["gaps"] for row in list_runs(lake, RunFilter())] == [gaps]
            assert (complete["unended"], complete["complete"]) == (1, False)


def test_a_run_whose_root_has_not_come_is_running(tmp_path: Path) -> None:
    """OpenTelemetry exports children before their root; after a silence their records are all there is: it was cut off."""
    write_lake(tmp_path, spans=[span("call", parent="root", step_kind="model"), span("step", parent="call", at=1)])
    for minutes, status, ended_at, unended in ((10, "running", None, 1), (20, "abandoned", None, 1)):
        with Lake.open(tmp_path, clock=lambda: START_NS + minutes * 60_000_000_000) as lake:  # noqa: B023
            found = reconstruct(lake, "run-1")
            assert found is not None
            (row,) = list_runs(lake, RunFilter(status=status))
            for run in (found["run"], row):
                assert (run["status"], run["ended_at"], run["orphans"], run["duration_ms"]) == (status, ended_at, 1, 2000.0)
            assert (found["completeness"]["unended"], found["completeness"]["orphans"]) == (unended, 1)


def test_what_is_not_whole_is_said(tmp_path: Path) -> None:
    """No end, a withheld value, records that the exporter dropped, head sampling."""
    dropped = event("telemetry.dropped", run=None, at=3, attributes={"auditlake.dropped.count": "7", "auditlake.dropped.signal": "traces"})
    started = event("run.started", trace="trace-1", step_kind="run")
    with lake_of(
        tmp_path, spans=[span("a", parent="b", redactions={"WITHHELD": 2, "URL": 1}, trace_state="ot=th:8")], events=[started, dropped]
    ) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    complete = found["completeness"]
    assert (complete["unended"], complete["withheld"], complete["redactions"], complete["dropped"]) == (1, 2, {"URL": 1}, {"traces": 7})
    assert (complete["sampled"], complete["complete"]) == (True, False)


def test_steps_after_the_end_are_named(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=[span("run", step_kind="run", took=1), span("late", parent="run", at=2)]) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    assert found["completeness"]["after_end"] == [found["steps"][1]["record_id"]]


def test_a_run_over_several_traces_is_found_by_each_of_its_names(tmp_path: Path) -> None:
    """Approve and resume: two traces, joined by the catalog after the first was sealed."""
    write_lake(tmp_path, spans=[span("asked", run="t1", trace="t1")])
    write_lake(tmp_path, spans=[span("resumed", run="conv-7", trace="t2", at=7200)], trace_runs={"t1": "conv-7"})
    with Lake.open(tmp_path) as lake:
        assert find(lake, "t1") == find(lake, "conv-7") == find(lake, "conv") == ["conv-7"]
        for name in ("t1", "conv-7"):
            found = reconstruct(lake, name)
            assert found is not None
            assert [step["name"] for step in found["steps"]] == ["asked", "resumed"]
            assert found["run"]["trace_ids"] == ["t1", "t2"]


def test_a_beginning_that_several_runs_have_is_ambiguous(tmp_path: Path) -> None:
    with lake_of(tmp_path, spans=many(3)) as lake:
        assert find(lake, "run-") == ["run-0", "run-1", "run-2"]
        assert find(lake, "run-1") == ["run-1"]
        assert find(lake, "x") == []
        assert find(lake, "%") == []


def test_five_thousand_steps_are_reconstructed(tmp_path: Path) -> None:
    chain = [span(f"s{number:04}", parent=f"s{number - 1:04}" if number else None, at=number / 1000) for number in range(5000)]
    with lake_of(tmp_path, spans=chain) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    assert [step["depth"] for step in found["steps"]] == list(range(5000))


RUN, OTHER = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    "more",
    [[], [event("said", run=RUN)], [event("said", run=RUN, trace=OTHER)], [event("said", run=RUN), event("said", run=RUN, trace=OTHER)]],
    ids=["its trace alone", "and no trace", "and a trace that nothing joined", "both"],
)
def test_a_run_has_every_record_that_names_it(tmp_path: Path, more: list[dict[str, Any]]) -> None:
    """Wherever these are: in its trace, in none, in one that the catalog does not know."""
    with lake_of(tmp_path, spans=[span("root", run=RUN, trace=RUN, step_kind="run")], events=more) as lake:
        found = reconstruct(lake, RUN)
    assert found is not None
    assert len(found["steps"]) == found["run"]["steps"] == 1 + len(more)


def test_a_run_is_read_without_the_traces_of_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map of traces to runs has one row a trace that was ever joined."""
    spans = [span("asked", run="t1", trace="t1"), span("resumed", run="t2", trace="t2", at=7)]
    write_lake(tmp_path, spans=spans, trace_runs={"t1": "r", "t2": "r"})

    def refuse(rows: CatalogRows) -> None:
        raise AssertionError

    monkeypatch.setattr(CatalogRows, "new_trace_runs", refuse)
    with Lake.open(tmp_path) as lake:
        found = reconstruct(lake, "t2")
        assert found is not None
        assert [step["name"] for step in found["steps"]] == ["asked", "resumed"]
        with pytest.raises(AssertionError):
            lake.sql("SELECT * FROM runs")


def test_a_run_in_a_file_older_than_a_column_is_whole(tmp_path: Path) -> None:
    """Also where that file is the one whose columns DuckDB is shown first."""
    write_lake(tmp_path, spans=[span("new", stop_reason="completed")])
    (old,) = write_lake(tmp_path, spans=[span("old", at=1, stop_reason="completed")])
    path = tmp_path / old.path
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["stop_reason"]), path)
    with lake_of(tmp_path) as lake:
        found = reconstruct(lake, "run-1")
    assert found is not None
    assert [(step["name"], step["stop_reason"]) for step in found["steps"]] == [("new", "completed"), ("old", None)]


def test_a_run_whose_log_records_are_damaged_has_its_spans(tmp_path: Path) -> None:
    files = write_lake(tmp_path, spans=[span("a")], events=[event("said", trace="trace-1")])
    (bad,) = (file for file in files if file.table_name == "events")
    (tmp_path / bad.path).write_bytes(b"PAR1 not")
    with Lake.open(tmp_path) as lake:
        found = reconstruct(lake, "run-1")
        assert [damage.path for damage in lake.damaged] == [bad.path]
    assert found is not None
    assert [step["name"] for step in found["steps"]] == ["a"]
