"""A damaged file of the lake costs its own rows and nothing else: every command answers with the rest and says which file it lacks."""

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.layout import FileRecord
from tests.collector_process import CollectorProcess
from tests.command_line import invoked
from tests.lake_builder import event, model, span, write_lake

RUNS = ("run-0", "run-1", "run-2", "run-3")
LOST = "run-1"
HOUR_NS = 3600 * 1_000_000_000
COMPACTED_WITHIN_SECONDS = 300  # the compactor runs when nobody else wants the processor
REMEDY = "restore it from a backup"


def cut(path: Path) -> None:
    """What a full disk or a copy that was interrupted leaves."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """What a failing disk leaves: as long as before, other bytes."""
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:4] + bytes(middle) + content[4 + middle :])


@pytest.fixture(params=[cut, flip, Path.unlink], ids=["cut", "flipped", "missing"])
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, FileRecord]:
    """A lake of four runs, each in a file sealed two hours ago, and the file of the second, damaged."""
    data = tmp_path / "data"
    damage: Callable[[Path], None] = request.param
    files: dict[str, FileRecord] = {}
    for number, name in enumerate(RUNS):
        spans = [
            span("agent", run=name, trace=f"t{number}", step_kind="agent", at=number),
            model("call", run=name, trace=f"t{number}", parent="agent"),
        ]
        started = [event("run.started", run=name, trace=f"t{number}", at=number)] if name != LOST else []
        files[name] = write_lake(data, spans=spans * 20, events=started, sealed_ns=time.time_ns() - 2 * HOUR_NS)[0]
    damage(data / files[LOST].path)
    return data, files[LOST]


def auditlake(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a reading command for JSON."""
    return invoked(data, *words, "--data", str(data), "--format", "json")


def warned(run: subprocess.CompletedProcess[str], file: FileRecord) -> None:
    """One line names the file, its rows and the remedy; nothing else is said about it."""
    lines = [line for line in run.stderr.splitlines() if file.path in line]
    assert len(lines) == 1, run.stderr
    assert all(word in lines[0] for word in ("warning:", f"its {file.rows} rows", REMEDY)), lines
    assert "Traceback" not in run.stderr


def the_rest_is_counted(data: Path, file: FileRecord) -> None:
    """A query sees what is left, and says what is not."""
    counted = auditlake(data, "query", "SELECT count(*) AS n, count(DISTINCT run_id) AS runs FROM spans")
    assert json.loads(counted.stdout) == [{"n": 120, "runs": 3}]
    assert counted.returncode == 0
    warned(counted, file)


def every_other_run_is_there(data: Path, file: FileRecord) -> None:
    """The list, one run, and the lost one, of which nothing is left."""
    runs, whole, lost = auditlake(data, "runs", "--since", "all"), auditlake(data, "run", "run-2"), auditlake(data, "run", LOST)
    assert {row["run_id"] for row in json.loads(runs.stdout)} == {*RUNS} - {LOST}
    assert len(json.loads(whole.stdout)["steps"]) == 3  # two spans, each again and again, and the event
    assert (runs.returncode, whole.returncode, lost.returncode, lost.stdout) == (0, 0, 1, "")
    warned(runs, file)
    warned(lost, file)


def doctor_names(data: Path, file: FileRecord, *options: str) -> None:
    """It exits with 1, and one check that failed names the file and the remedy."""
    doctor = auditlake(data, "doctor", *options)
    assert doctor.returncode == 1, doctor.stderr
    (failed,) = [check for check in json.loads(doctor.stdout) if check["check"] == "file"]
    assert failed["state"] == "failed"
    assert file.path in failed["finding"]
    assert REMEDY in failed["remedy"]


def test_reading_commands_answer_with_the_rest(damaged: tuple[Path, FileRecord]) -> None:
    data, file = damaged
    the_rest_is_counted(data, file)
    every_other_run_is_there(data, file)
    doctor_names(data, file, "--deep")


@pytest.mark.parametrize("damaged", [flip], indirect=True, ids=["flipped"])
def test_compaction_goes_on_without_a_damaged_file(damaged: tuple[Path, FileRecord], tmp_path: Path) -> None:
    """How the compactor meets other damage stands in the tests of storage."""
    data, file = damaged
    with CollectorProcess(tmp_path, data=data, redacted=False) as collector, closing(Catalog.open(data, read_only=True)) as catalog:
        deadline = time.monotonic() + COMPACTED_WITHIN_SECONDS
        while not any(live.level for live in catalog.live_files("spans")):
            assert time.monotonic() < deadline, collector.log.read_text()
            time.sleep(0.2)
        assert collector.health().status_code == 200
        assert [aside.path for aside in catalog.damaged_files()] == [file.path]
        (merged,) = catalog.live_files("spans")
        assert merged.rows == 120
        assert collector.terminate() == 0
    assert "damaged file set aside" in collector.log.read_text()
    the_rest_is_counted(data, file)
    doctor_names(data, file)
