"""`auditlake gate`: exit 0 only for an open gate, 1 for every no, 2 for a question that was put wrongly; and the files it leaves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import gate, runs
from cli.main import main
from storage.errors import StorageError
from storage.gate.pairs import KEYS
from tests.storage.gate.lakes import Release, release_lake


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Releases 1 and 2 alike, 3 worse."""
    worse = Release(name="3", success=0.6, seconds=9)
    folder = tmp_path_factory.mktemp("gate")
    (folder / "thresholds.yaml").write_text("controls: none\nchecks: {contract_gap_rate: false}\n")
    return release_lake(folder / "lake", Release(name="1"), Release(name="2"), worse)


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    for module in (gate, runs):
        module.register(app)
    return CliRunner().invoke(app, ["gate", *(str(argument) for argument in arguments)])


def test_an_open_gate_exits_with_0_and_says_so(data: Path) -> None:
    result = invoke("--data", data, "--release", "2", "--baseline", "1", "--config", data.parent / "thresholds.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("gate open: release 2 against 1\n")
    assert "success_rate" in result.stdout


def test_a_closed_gate_exits_with_1_and_leaves_its_evidence(data: Path, tmp_path: Path) -> None:
    result = invoke(
        "--data",
        data,
        "--release",
        "3",
        "--baseline",
        "1",
        "-o",
        tmp_path / "evidence",
        "--config",
        data.parent / "thresholds.yaml",
        "--format",
        "json",
    )
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found == json.loads((tmp_path / "evidence/gate.json").read_text())
    assert found["gate"] == "closed"
    assert (tmp_path / "evidence/gate.md").read_text().startswith("# Release gate: closed\n")


def test_checks_are_rows_of_csv(data: Path) -> None:
    lines = invoke(
        "--data", data, "--release", "2", "--baseline", "1", "--config", data.parent / "thresholds.yaml", "--format", "csv"
    ).stdout.splitlines()
    assert lines[0].startswith("name,state,reason,")
    assert len(lines) == 9


def test_a_lake_that_cannot_say_closes_the_gate(tmp_path: Path) -> None:
    result = invoke("--data", tmp_path / "none", "--release", "2", "--format", "json", "-o", tmp_path / "evidence")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["gate"], found["checks"]) == ("closed", [])
    assert "the lake cannot say" in found["reasons"][0]
    assert "unknown" in (tmp_path / "evidence/gate.md").read_text()


def test_evidence_that_cannot_be_written_closes_the_gate(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = invoke("--data", data, "--release", "2", "--config", data.parent / "thresholds.yaml", "-o", tmp_path / "file")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--release", "1", "--baseline", "1"), ("--release", "1", "--shadow"), ("--release", "1", "--baseline", "2", "--pair-by", "task"),
        ("--release", "1", "--baseline", "2", "--shadow", "--pair-by", "name"), ("--release", "1", "--since", "yesterday"), (),
        ("--release", "1", "--min-samples", "1"),
    ],
)  # fmt: skip
def test_a_question_put_wrongly_exits_with_2(data: Path, arguments: tuple[str, ...]) -> None:
    result = invoke("--data", data, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_thresholds_that_cannot_be_read_are_usage(data: Path, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("alpha: 7")
    result = invoke("--data", data, "--release", "2", "--config", tmp_path / "t.yaml")
    assert isinstance(result.exception, StorageError)  # main explains it and exits with 2


def test_the_keys_of_pairs_are_those_of_the_gate() -> None:
    assert tuple(KEYS) == gate.PAIR_KEYS


def test_evidence_of_an_earlier_question_does_not_stay(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the question ends: an answer that stayed could be taken for the new one."""
    arguments = ("--data", data, "--release", "2", "--config", data.parent / "thresholds.yaml", "-o", tmp_path)
    assert invoke(*arguments).exit_code == 0
    assert json.loads((tmp_path / "gate.json").read_text())["gate"] == "open"
    assert invoke(*arguments[:-4], "--config", tmp_path / "none.yaml", "-o", tmp_path).exception is not None
    assert not list(tmp_path.iterdir())

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("storage.gate.judge", broken)
    assert isinstance(invoke(*arguments).exception, ZeroDivisionError)
    found = json.loads((tmp_path / "gate.json").read_text())
    assert (found["gate"], found["reasons"]) == ("closed", ["it was not judged to its end: ZeroDivisionError"])


def test_rows_of_csv_leave_the_reasons_to_stderr(data: Path) -> None:
    result = invoke("--data", data, "--release", "9", "--format", "csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "gate closed: the release 9 is unknown: the lake has no record of it\n"


def test_a_release_without_a_name_is_a_question_put_wrongly(data: Path) -> None:
    assert invoke("--data", data, "--release", "").exit_code == 2


def test_an_interrupted_question_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB tells of Ctrl-C by an error of no kind of its own."""

    def interrupted() -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("cli.main.application", lambda: interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
