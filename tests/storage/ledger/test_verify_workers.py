"""Files are read by processes of their own: what a file does to one of them is said of the file."""

import io
import os
import pickle
import signal
from pathlib import Path

import pytest

from storage.errors import StorageError
from storage.ledger import verify_workers
from storage.ledger.verdicts import Verdict
from storage.ledger.verify_files import Asked, FileReader, FileRows, Gone
from tests.storage.ledger.tamper.tampered_lake import Lake, live_files, made

DEADLY = "data/spans/date=2026-11-21/node~collector-000000000001.parquet"
"""A file that harms whoever reads it."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return made(tmp_path_factory.mktemp("workers") / "lake", compacted=False)


class Harmed(FileReader):
    """A reader that a file harms."""

    harm = "os.abort()"

    def read(self, group: list[Asked]) -> list[FileRows]:
        if any(asked.record.path == DEADLY for asked in group):
            exec(self.harm, {"os": os, "signal": signal})
        return super().read(group)


def harmed_by(monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    """Have the processes read with it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from storage.ledger import verify_workers as w; "
        f"from tests.storage.ledger.test_verify_workers import Harmed; Harmed.harm = {harm!r}; w.FileReader = Harmed; w.main()"
    )
    monkeypatch.setattr(verify_workers, "_COMMAND", (*verify_workers._COMMAND[:2], code, verify_workers._COMMAND[3]))


def test_a_file_that_ends_its_reader_is_named_and_the_others_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    harmed_by(monkeypatch, "os.abort()")
    report = lake.verify(processes=True)
    named = {finding.path for finding in report.findings if "it ends the process that reads it (SIGABRT)" in finding.detail}
    assert named == {DEADLY}
    assert {finding.first for finding in report.findings if finding.verdict is Verdict.ALTERED} == {1}
    assert [(each.first, each.last) for each in report.findings if each.verdict is Verdict.VALID] == [(0, 0), (2, 5)]


def test_a_process_that_somebody_killed_says_nothing_of_a_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a system whose memory is short."""
    harmed_by(monkeypatch, "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StorageError, match="signal 9 ended the process"):
        lake.verify(processes=True)


def test_processes_say_what_one_process_says(lake: Lake) -> None:
    assert lake.verify(processes=True).to_json()["origins"] == lake.verify().to_json()["origins"]


def test_a_process_answers_until_its_input_ends(lake: Lake, tmp_path: Path) -> None:
    files = live_files(lake)
    questions = [[Asked(record=files[0])], [Asked(record=files[0])], ["no question"]]
    asked, answered = io.BytesIO(b"".join(map(pickle.dumps, questions))), io.BytesIO()
    reader = FileReader(lake.data)
    verify_workers.serve(reader, asked, answered)
    answered.seek(0)
    rows = pickle.load(answered)[0]
    assert rows.record == files[0]
    assert rows.rows.num_rows == files[0].rows
    assert len(pickle.load(answered)) == 1
    assert pickle.load(answered) == "AttributeError"
    nowhere, answered = FileReader(tmp_path), io.BytesIO()
    verify_workers.serve(nowhere, io.BytesIO(pickle.dumps(questions[0])), answered)
    assert isinstance(pickle.loads(answered.getvalue()), Gone)
