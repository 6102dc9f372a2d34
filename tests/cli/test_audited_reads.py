"""Who read what stands in `access_log`: one event a command, before anything is shown, cleaned like anything else."""

import json
import os
import pwd
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.access import AccessLog
from cli.commands import agents, contract, controls, doctor, export, query, run, runs
from cli.page_log import configured
from cli.reading import READS_TOGETHER
from collector.node import node_name
from storage import journal
from storage.durable import FileLock
from storage.lake import Lake
from storage.wal import closed_segments
from tests.lake_builder import span, write_lake
from tests.leak_scan import scan

MAIL = "bob@example.com"
REQUIRED = "service:\n  audit_reads: required\n"
NODE = node_name(os.uname().nodename)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SUDO_USER", raising=False)
    agent = span("answer", run="7d9f0c6e", trace="a" * 32, id="b" * 16, step_kind="agent")
    search = span("search", run="7d9f0c6e", trace="a" * 32, id="c" * 16, parent="b" * 16, at=1)
    write_lake(tmp_path / "lake", spans=[agent, search])
    yield tmp_path / "lake"
    structlog.reset_defaults()


def invoke(*arguments: object) -> Result:
    app = typer.Typer()
    for module in (agents, contract, controls, export, query, run, runs):
        module.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def recorded(data: Path) -> list[dict[str, Any]]:
    AccessLog(configured(None), data, scans=False).seal()
    with Lake.open(data) as lake:
        return lake.query("SELECT * FROM access_log ORDER BY time").to_pylist(maps_as_pydicts="lossy")


def demand_a_record(data: Path) -> None:
    from collector.config import DEFAULT

    (data.parent / "otel-config.yaml").write_text(DEFAULT.replace("service:\n", REQUIRED))


@pytest.mark.parametrize(
    ("words", "action", "name", "resource", "rows"),
    [
        (["query", "SELECT run_id FROM runs JOIN spans USING (run_id)"], "query", "lake.read", "runs, spans", 2),
        (["runs", "--since", "all"], "runs", "lake.read", "runs", 1),
        (["run", "7d9"], "run", "lake.read", "7d9f0c6e", 2),
        (["agents", "--since", "all"], "agents", "lake.read", "agents", 1),
        (["contract", "7d9"], "contract", "lake.read", "7d9f0c6e", None),
        (["export", "--fixture", "7d9", "--format", "expected"], "export", "lake.export", "7d9f0c6e", 2),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_that_shows_records_is_one_event(
    data: Path, words: list[str], action: str, name: str, resource: str, rows: int | None
) -> None:
    invoke(*words, "--data", data)
    (event,) = recorded(data)
    assert (event["action"], event["event_name"], event["resource"], event["outcome"]) == (action, name, resource, "success")
    assert (event["actor"], event["via"], event["client"]) == (pwd.getpwuid(os.getuid()).pw_name, "cli", os.uname().nodename)
    assert event["origin"] == f"{NODE}/access"
    assert rows is None or event["rows"] == rows


def test_a_statement_is_recorded_without_what_only_presidio_could_clear(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Presidio is not loaded for it: the prefilter of the policy is found where an earlier process left it."""
    invoke("query", "SELECT 1", "--data", data)  # leaves the prefilter of this policy, if nobody has
    monkeypatch.setitem(sys.modules, "redaction.presidio.analyzer", None)
    invoke("query", f"SELECT * FROM runs WHERE actor = '{MAIL}' AND agent_name = 'support'", "--data", data)
    statement = recorded(data)[-1]["statement"]
    assert statement.startswith("SELECT * FROM runs WHERE actor = '<UNSCANNED:")
    assert statement.endswith("' AND agent_name = 'support'")
    assert scan(data, [MAIL]) == {MAIL: []}


@pytest.mark.parametrize(
    ("words", "code", "outcome", "exit_code"),
    [
        (["query", "DELETE FROM runs"], "refused", "failure", 1),
        (["query", "SELECT nothing FROM runs"], "refused", "failure", 1),
        (["run", "nobody"], "unknown", "failure", 1),
    ],
)
def test_an_attempt_that_shows_nothing_is_recorded_too(data: Path, words: list[str], code: str, outcome: str, exit_code: int) -> None:
    assert invoke(*words, "--data", data).exit_code == exit_code
    (event,) = recorded(data)
    assert (event["outcome"], event["reason_code"], event["rows"]) == (outcome, code, None)


def ambiguous(data: Path) -> str:
    """A lake with two runs whose ids begin alike."""
    other = span("answer", run="7d9eeeee", trace="e" * 32, id="e" * 16, step_kind="agent")
    agent = span("answer", run="7d9f0c6e", trace="a" * 32, id="b" * 16, step_kind="agent")
    shutil.rmtree(data)
    write_lake(data, spans=[agent, other])
    return "7d9"


@pytest.mark.parametrize("words", [["run"], ["contract"], ["export", "--fixture"], ["controls", "--run"]], ids=lambda words: words[0])
def test_ids_that_begin_alike_are_told_when_that_is_recorded(data: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """They are out of the lake, like everything else; where a record is required, they are not told without."""
    prefix = ambiguous(data)
    result = invoke(*words, prefix, "--data", data)
    assert "7d9eeeee, 7d9f0c6e" in result.stderr
    (event,) = recorded(data)
    assert (event["outcome"], event["rows"]) == ("success", 2)
    demand_a_record(data)
    monkeypatch.setattr(journal, "LOCK_WAIT_SECONDS", 0.05)
    with FileLock(data / "wal" / NODE / "access" / "LOCK", "hold it"):
        result = invoke(*words, prefix, "--data", data)
    assert "nothing is shown" in result.stderr
    assert "7d9eeeee" not in result.output


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("Query interrupted"), "interrupted"), (ValueError(), "failed")]
)
def test_a_read_that_does_not_end_is_recorded(data: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str) -> None:
    """Ctrl-C, and what no command expects."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Lake, "query", broken)
    invoke("query", "SELECT 1", "--data", data)
    monkeypatch.undo()
    (event,) = recorded(data)
    assert (event["outcome"], event["reason_code"], event["statement"]) == ("failure", code, "SELECT 1")


def test_a_read_that_sigterm_ends_is_recorded(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("it went on")

    def of_this_process(*_: object) -> None:
        """What SIGTERM does otherwise."""

    before = signal.signal(signal.SIGTERM, of_this_process)
    try:
        monkeypatch.setattr(Lake, "query", terminated)
        invoke("query", "SELECT 1", "--data", data)
        assert signal.getsignal(signal.SIGTERM) is of_this_process
    finally:
        signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    (event,) = recorded(data)
    assert (event["outcome"], event["reason_code"]) == ("failure", "interrupted")


def test_from_where_is_the_ssh_session_that_the_command_runs_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.1 22")
    invoke("runs", "--data", data)
    assert recorded(data)[0]["client"] == "192.0.2.7"


def test_the_record_is_durable_before_the_rows_are_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[list[str]] = []
    monkeypatch.setattr(query, "print_rows", lambda *_: before.append([segment.origin for segment in closed_segments(data)]))
    invoke("query", "SELECT 1", "--data", data)
    assert before == [[f"{NODE}/access"]]


@pytest.mark.parametrize("required", [False, True])
def test_a_lake_that_cannot_be_written_is_read_unless_the_record_is_required(
    data: Path, monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    if required:
        demand_a_record(data)
    monkeypatch.setattr(journal, "LOCK_WAIT_SECONDS", 0.05)
    with FileLock(data / "wal" / NODE / "access" / "LOCK", "hold it"):
        result = invoke("query", "SELECT count(*) AS n FROM spans", "--data", data, "--format", "json")
    if required:
        assert (result.exit_code, result.stdout) == (2, "")
        assert "nothing is shown" in result.stderr
    else:
        assert json.loads(result.stdout) == [{"n": 2}]
        assert "warning: this read is not recorded" in result.stderr


def test_a_read_beside_a_configuration_with_errors_says_so_and_is_never_without_its_record(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy that cleaned its record is the built-in one; whether reads need a record, nobody can tell."""
    (data.parent / "otel-config.yaml").write_text("nonsense: 1\n")
    assert invoke("runs", "--since", "all", "--data", data).exit_code == 0
    (event,) = recorded(data)
    assert (event["outcome"], event["reason_code"]) == ("success", "built_in_policy")
    monkeypatch.setattr(journal, "LOCK_WAIT_SECONDS", 0.05)
    with FileLock(data / "wal" / NODE / "access" / "LOCK", "hold it"):
        result = invoke("runs", "--since", "all", "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "auditlake validate" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as somebody else")
def test_what_root_reads_is_recorded_as_the_owner_of_the_lake_and_nobody_else_writes_to_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sealer, which is the owner's, has to be able to delete what it sealed."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own can be entered by its user alone
        Path(folder).chmod(0o755)
        lake = Path(shutil.copytree(data, Path(folder) / "lake"))
        for path in (lake, *lake.rglob("*")):
            os.chown(path, 4711, 4711)
        invoke("runs", "--data", lake)
        assert {path.stat().st_uid for path in lake.rglob("*")} == {4711}
        assert (os.geteuid(), len(closed_segments(lake))) == (0, 1)
        monkeypatch.chdir(folder)
        os.seteuid(4712)
        try:
            result = invoke("runs", "--data", lake)  # once more the same: another user cannot import what was not yet
        finally:
            os.seteuid(0)
            monkeypatch.undo()
        assert "not recorded" in result.stderr
        assert len(closed_segments(lake)) == 1


def test_where_no_sealer_runs_reads_are_sealed_together_and_before_anyone_asks_for_them(data: Path) -> None:
    for number in range(1, READS_TOGETHER):
        invoke("query", "SELECT 1", "--data", data)
        assert len(closed_segments(data)) == number
    invoke("query", "SELECT 1", "--data", data)
    assert closed_segments(data) == []
    invoke("query", "SELECT 1", "--data", data)
    asked = invoke("query", "SELECT count(*) AS n FROM access_log", "--data", data, "--format", "json")
    assert json.loads(asked.stdout) == [{"n": READS_TOGETHER + 1}]


def test_where_a_sealer_runs_it_is_left_to_it(data: Path) -> None:
    """A process that holds the WAL of this lake is a collector, with its sealer."""
    with FileLock(data / "wal" / NODE / "collector" / "LOCK", "collect"):
        for _ in range(READS_TOGETHER + 1):
            invoke("query", "SELECT 1", "--data", data)
    assert len(closed_segments(data)) == READS_TOGETHER + 1


def test_doctor_worries_about_reads_only_when_nobody_seals_them_together(data: Path) -> None:
    later = time.time_ns() + 3600 * 1_000_000_000
    log = AccessLog(configured(None), data, scans=False)
    for wanted in (["ok"], ["failed"]):
        for _ in range(READS_TOGETHER):
            log.record("runs", outcome="success", resource="runs")
        states = [check.state for check in doctor.lake(data, deep=False, now_ns=later) if "closed segments" in check.finding]
        assert states == wanted
