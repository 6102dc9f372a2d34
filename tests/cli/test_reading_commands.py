"""`auditlake runs`, `run`, `query`, `doctor`: what they print where, and how they exit."""

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import doctor, query, run, runs
from storage.errors import StorageError
from storage.wal import RecordType, WalWriter
from tests.lake_builder import event, model, span, write_lake


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A lake with one run of an agent, and one that failed."""
    agent = span("answer", run="7d9f0c6e", trace="t1", step_kind="agent", took=4, stop_reason="completed")
    inner = {"run": "7d9f0c6e", "trace": "t1", "parent": "answer"}
    tool = span("search", **inner, at=1, step_kind="tool", tool_name="search", redactions={"EMAIL_ADDRESS": 1}, status_code=2)
    failed = span("failed", run="abcd", trace="t2", step_kind="agent", at=30, status_code=2)
    policy = event("policy.decision", run="7d9f0c6e", trace="t1", inside="search", at=1, step_kind="policy", decision="allow")
    write_lake(tmp_path, spans=[agent, tool, model("chat", **inner, at=2), failed], events=[policy])
    return tmp_path


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    """Commands configure logging for their process; tests after these must not write to a closed stream."""
    yield
    structlog.reset_defaults()


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    for module in (runs, run, query, doctor):
        module.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_runs_prints_rows_of_the_view_as_json_alone(data: Path) -> None:
    result = invoke("runs", "--data", data, "--since", "all", "--format", "json")
    rows = json.loads(result.stdout)
    assert [row["run_id"] for row in rows] == ["abcd", "7d9f0c6e"]
    assert (rows[1]["started_at"], rows[1]["status"], rows[1]["input_tokens"]) == ("2026-11-21T12:00:00.000000Z", "ok", 100)
    assert result.exit_code == 0


def test_what_an_agent_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    """Escape sequences could hide rows from whoever looks for them."""
    write_lake(tmp_path, spans=[span("a\x1b[2Jb\x9bc", run="r1", trace="t1", step_kind="agent", agent_name="x\x1b[8m")])
    for words in (["runs", "--since", "all"], ["run", "r1"], ["query", "SELECT name, agent_name FROM spans"]):
        result = invoke(*words, "--data", tmp_path)
        assert result.exit_code == 0
        assert not {"\x1b", "\x9b"}.intersection(result.stdout), words
        assert "�" in result.stdout


def test_runs_says_when_the_list_is_cut(data: Path) -> None:
    result = invoke("runs", "--data", data, "--since", "all", "--limit", "1", "--format", "json")
    assert len(json.loads(result.stdout)) == 1
    assert "1 of 2 runs" in result.stderr


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--since", "2026-11-21T12:00:10Z"], ["abcd"]),
        (["--since", "2026-11-21T13:00:10+01:00"], ["abcd"]),
        (["--since", "all", "--until", "2026-11-21T12:00:10Z"], ["7d9f0c6e"]),
        (["--since", "all", "--status", "error"], ["abcd"]),
        (["--since", "all", "--agent", "nobody"], []),
        (["--since", "520w"], ["abcd", "7d9f0c6e"]),
    ],
)
def test_runs_filters(data: Path, options: list[str], found: list[str]) -> None:
    rows = json.loads(invoke("runs", "--data", data, "--format", "json", *options).stdout)
    assert [row["run_id"] for row in rows] == found


@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--until", "24x"], ["--status", "fine"], ["--since", ""]])
def test_runs_refuses_what_it_does_not_understand(data: Path, options: list[str]) -> None:
    result = invoke("runs", "--data", data, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "→" in result.stderr


def test_run_gives_the_whole_reconstruction_as_json(data: Path) -> None:
    result = invoke("run", "7d9f0c6e", "--data", data, "--format", "json")
    found = json.loads(result.stdout)
    assert set(found) >= {"run", "steps", "completeness", "loops", "graph", "integrity"}
    needed = {
        "record_id",
        "kind",
        "name",
        "started_at",
        "ended_at",
        "duration_ms",
        "status",
        "parent_record_id",
        "depth",
        "trace_id",
        "span_id",
    }
    assert all(needed <= step.keys() for step in found["steps"])
    assert [step["kind"] for step in found["steps"]] == ["agent", "tool", "policy", "model"]
    assert found["steps"][0]["started_at"] == "2026-11-21T12:00:00.000000Z"


@pytest.mark.parametrize("name", ["7d9", "t1"])
def test_run_takes_a_beginning_and_a_trace(data: Path, name: str) -> None:
    if name == "t1":
        write_lake(data, spans=[span("later", run="t1", trace="t1", parent="answer", at=3)], trace_runs={"t1": "7d9f0c6e"})
    assert json.loads(invoke("run", name, "--data", data, "--format", "json").stdout)["run"]["run_id"] == "7d9f0c6e"


def test_run_shows_a_tree(data: Path) -> None:
    result = invoke("run", "7d9f0c6e", "--tree", "--data", data)
    lines = result.stdout.splitlines()
    assert "7d9f0c6e" in lines[0]
    tree = lines[-4:]
    assert ["answer" in tree[0], "search" in tree[1], "policy.decision" in tree[2], "chat" in tree[3]] == [True] * 4
    assert "1 × EMAIL_ADDRESS" in tree[1]
    assert "100 → 10 tok" in tree[3]
    assert "unverified" in result.stdout


def test_an_unknown_run_exits_with_1_and_a_hint(data: Path) -> None:
    result = invoke("run", "nothing", "--data", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "auditlake runs" in result.stderr


def test_an_ambiguous_beginning_names_the_runs(data: Path) -> None:
    write_lake(data, spans=[span("x", run="7dff", trace="t3")])
    result = invoke("run", "7d", "--data", data)
    assert result.exit_code == 1
    assert "7d9f0c6e, 7dff" in result.stderr


def test_query_prints_every_format(data: Path) -> None:
    sql = "SELECT run_id, steps, trace_ids FROM runs ORDER BY run_id"
    assert json.loads(invoke("query", sql, "--data", data, "--format", "json").stdout)[0] == {
        "run_id": "7d9f0c6e",
        "steps": 4,
        "trace_ids": ["t1"],
    }
    rows = list(csv.reader(io.StringIO(invoke("query", sql, "--data", data, "--format", "csv").stdout)))
    assert rows == [["run_id", "steps", "trace_ids"], ["7d9f0c6e", "4", '["t1"]'], ["abcd", "1", '["t2"]']]
    stored = invoke("query", sql, "--data", data, "--format", "parquet").stdout_bytes
    assert pq.read_table(io.BytesIO(stored)).num_rows == 2


def test_query_says_when_rows_are_cut(data: Path) -> None:
    result = invoke("query", "SELECT * FROM steps", "--limit", "2", "--data", data, "--format", "json")
    assert len(json.loads(result.stdout)) == 2
    assert "first 2 rows" in result.stderr


def test_a_refused_query_is_an_error_of_the_family_that_main_explains(data: Path) -> None:
    result = invoke("query", "COPY runs TO 'x'", "--data", data)
    assert isinstance(result.exception, StorageError)
    assert result.stdout == ""


def test_a_damaged_file_is_named_beside_the_answer(data: Path) -> None:
    (bad,) = write_lake(data, spans=[span("x", run="lost", trace="t9")])
    (data / bad.path).write_bytes(b"PAR1 not")
    result = invoke("query", "SELECT count(*) AS n FROM spans", "--data", data, "--format", "json")
    assert json.loads(result.stdout) == [{"n": 4}]
    assert bad.path in result.stderr
    checked = invoke("doctor", "--data", data, "--format", "json")
    assert checked.exit_code == 1
    assert bad.path in next(check["finding"] for check in json.loads(checked.stdout) if check["state"] == "failed")


def test_doctor_finds_a_sound_lake_sound(data: Path) -> None:
    result = invoke("doctor", "--deep", "--data", data, "--format", "json")
    checks = json.loads(result.stdout)
    assert {check["check"] for check in checks} >= {"python", "libraries", "disk", "ports", "catalog", "files", "WAL", "sealing"}
    assert [check for check in checks if check["state"] == "failed"] == []
    assert result.exit_code == 0


def test_doctor_tells_a_writer_that_died_from_one_that_ended(data: Path) -> None:
    """Who ends in peace leaves an empty segment for its successor: nothing is wrong with that."""
    for origin, dies in (("n/access", False), ("n/collector", True)):
        writer = WalWriter(data, origin)
        writer.append([(RecordType.BATCH, b"{}", b"")])
        writer.rotate()
        if dies:
            writer.append([(RecordType.BATCH, b"{}", b"")])
            writer._release()
        writer.close()
    found = [check.finding for check in doctor.lake(data, deep=False, now_ns=time.time_ns()) if "died" in check.finding]
    assert found == ["n/collector: its writer died with an open segment"]


def test_doctor_sees_what_the_size_does_not_show_only_with_deep(data: Path) -> None:
    path = next((data / "data/spans").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert invoke("doctor", "--data", data).exit_code == 0
    assert invoke("doctor", "--deep", "--data", data).exit_code == 1


def test_doctor_reports_segments_that_nobody_seals(data: Path) -> None:
    segment = data / "wal/node/collector/000000000009.wal"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(b"x")
    os.utime(segment, (1, 1))
    result = invoke("doctor", "--data", data, "--format", "json")
    assert result.exit_code == 1
    assert "1 closed segments" in next(check["finding"] for check in json.loads(result.stdout) if check["state"] == "failed")


def test_doctor_without_a_lake_only_warns(tmp_path: Path) -> None:
    result = invoke("doctor", "--data", tmp_path / "none", "--format", "json")
    assert result.exit_code == 0
    assert "no lake" in next(check["finding"] for check in json.loads(result.stdout) if check["check"] == "lake")
