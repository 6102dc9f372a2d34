"""`auditlake verify`: verdicts on stdout, what they rest on on stderr, and the exit code."""

import csv
import io
import json
import time
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from cli.commands.verify import _progress
from cli.ledger_checks import verification
from storage.ledger.verify_state import default_path
from tests.command_line import invoked
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, made


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that was sealed, and not touched since."""
    return made(tmp_path_factory.mktemp("verify") / "lake", compacted=False)


@pytest.fixture
def lake(pristine: Lake, tmp_path: Path) -> Lake:
    """A copy of its own."""
    return pristine.copy(tmp_path / "lake")


def test_a_lake_that_verifies_exits_with_0_and_says_what_that_rests_on(lake: Lake, tmp_path: Path) -> None:
    first = invoked(tmp_path, "verify", "--data", str(lake.data), "--state", "state.json")
    assert (first.returncode, "VALID, UNANCHORED" in first.stdout, "0–5" in first.stdout) == (0, True, True)
    assert "the verifier keys are those stored beside the data" in first.stderr
    assert "6 of 6 log entries are UNANCHORED" in first.stderr
    assert "17 rows" in first.stderr
    again = invoked(tmp_path, "verify", "--data", str(lake.data), "--state", "state.json", "--quick")
    assert "keys: those remembered" in again.stderr
    assert again.stderr.count("quick: 17 rows") == 1


def test_an_attack_exits_with_1_and_names_the_record(lake: Lake, tmp_path: Path) -> None:
    lake.edit(1, 0, "spans", actor="eve")
    done = invoked(tmp_path, "verify", "--data", str(lake.data), "--state", str(lake.state), "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    (bad,) = [finding for finding in report["origins"][0]["findings"] if finding["verdict"] != "VALID"]
    assert (bad["verdict"], bad["record_id"], bad["table"], bad["first"]) == ("ALTERED", f"{ORIGIN}/1/0", "spans", 1)
    assert report["ok"] is False
    assert "this lake is not what was committed" in done.stderr


def test_unanchored_entries_fail_only_when_anchors_are_required(lake: Lake, tmp_path: Path) -> None:
    words = ("verify", "--data", str(lake.data), "--state", str(lake.state), "--require-anchored")
    assert invoked(tmp_path, *words).returncode == 1
    copies = tmp_path / "elsewhere" / ORIGIN / "2026-11-21"
    copies.mkdir(parents=True)
    head = lake.log.head()
    (copies / f"{head.size:020}-{1:010}-{head.root.hex()}").write_text(lake.log.checkpoint() or "")
    anchored = invoked(tmp_path, *words, "--anchor", str(tmp_path / "elsewhere"))
    assert (anchored.returncode, "UNANCHORED" in anchored.stdout + anchored.stderr) == (0, False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_shows_on_a_terminal_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing elsewhere: what is piped is for programs."""
    monkeypatch.setenv("TERM", "xterm")
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        with redirect_stderr(stream), _progress() as progress:
            progress(1, 2)
        assert ("verifying" in stream.getvalue()) is shown


def test_a_row_of_csv_is_a_finding(lake: Lake, tmp_path: Path) -> None:
    done = invoked(tmp_path, "verify", "--data", str(lake.data), "--state", str(lake.state), "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["verdict"], row["origin"], row["first"], row["last"]) == ("VALID", ORIGIN, "0", "5")


def test_keys_come_as_texts_or_in_files(lake: Lake, tmp_path: Path) -> None:
    key = str(lake.signer.verifier)
    (tmp_path / "keys").write_text(f"# of the lake\n{key}\n")
    for given in (key, "keys"):
        done = invoked(tmp_path, "verify", "--data", str(lake.data), "--state", str(lake.state), "--key", given)
        assert (done.returncode, "stored beside" in done.stderr, "remembered from" in done.stderr) == (0, False, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key", "nonsense"), "--key nonsense cannot be read"),
        (("--key", "a+b+c"), "is no verifier key"),
        (("--witness-key", "a+b+c"), "is no verifier key"),
        (("--origin", "nobody"), "there is no such origin; there are: node/collector"),
        (("--since", "yesterday"), "--since yesterday is not a time"),
        (("--state", "broken.json"), "no state of `auditlake verify`"),
    ],
)
def test_what_cannot_be_verified_is_said_with_a_remedy(lake: Lake, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "broken.json").write_text("[]")
    done = invoked(tmp_path, "verify", "--data", str(lake.data), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_state_is_below_the_users_state_folder_unless_it_is_said_where(tmp_path: Path) -> None:
    """A relative XDG_STATE_HOME has to be ignored; a user without a home has the state beside the data."""
    wanted = default_path(tmp_path, {"XDG_STATE_HOME": "/state", "HOME": "/home/me"})
    assert wanted.parent == Path("/state/auditlake")
    assert default_path(tmp_path, {"XDG_STATE_HOME": "state", "HOME": "/home/me"}) == Path("/home/me/.local/state/auditlake") / wanted.name
    assert default_path(tmp_path, {}).parent == tmp_path
    assert default_path(tmp_path / "other", {"HOME": "/home/me"}).name != wanted.name


def test_the_doctor_says_what_the_last_verification_came_to(lake: Lake, tmp_path: Path) -> None:
    def said() -> tuple[str, str]:
        (check,) = verification(lake.data, time.time_ns())
        return check.state, check.finding

    assert said() == ("warning", "nobody has verified it yet")
    assert invoked(tmp_path, "verify", "--data", str(lake.data)).returncode == 0
    assert said() == ("ok", "verified 0 h ago, deep: nothing was altered, missing or extra")
    lake.path(lake.file()).unlink()
    assert invoked(tmp_path, "verify", "--data", str(lake.data), "--quick").returncode == 1
    assert said() == ("failed", "verified 0 h ago, quick: it is not what was committed")
