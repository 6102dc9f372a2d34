"""A running collector removes what expired, time and again."""

import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.config_retention import Retaining
from collector.retaining import FIRST_SECONDS, run_retention
from storage.durable import FileLock
from storage.retention_rules import RetentionRule
from tests.collector.otlp_samples import NOW_NS
from tests.people import left, run
from tests.sealed_lake import seal

DAY = 86_400.0


class Rounds(threading.Event):
    """Is set after so many waits, which it remembers."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Count a round."""
        self.waits.append(timeout)
        self.rounds -= 1
        return self.rounds < 0


def test_what_expired_goes_in_the_next_round(tmp_path: Path) -> None:
    """And nothing else."""
    seal(tmp_path, run("day-3", "bob", days=3), run("day-0", "bob"))
    retaining = Retaining(rules=(RetentionRule(keep_seconds=2 * DAY),), interval_seconds=DAY, identity_keys=("user.id",))
    stop = Rounds(1)
    run_retention(tmp_path, retaining, stop, clock=lambda: NOW_NS)
    assert left(tmp_path) == {"day-0"}
    assert stop.waits == [FIRST_SECONDS, DAY], "who restarts every hour removes what expired all the same"


def test_a_defect_is_told_without_its_message_and_the_next_round_goes_on(tmp_path: Path) -> None:
    """Nobody else would start the thread again."""
    with capture_logs() as logged:
        stop = Rounds(2)
        run_retention(tmp_path, Retaining(rules=(), interval_seconds=1.0, identity_keys=()), stop, clock=lambda: int("canary"))
    assert (len(stop.waits), [each["error"] for each in logged]) == (3, ["ValueError"] * 2)


def test_a_failure_is_told_and_the_next_round_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else moves files."""
    monkeypatch.setattr("storage.removal._WAIT_SECONDS", 0.0)
    seal(tmp_path, run("day-3", "bob", days=3), run("day-0", "bob"))
    retaining = Retaining(rules=(RetentionRule(keep_seconds=2 * DAY),), interval_seconds=1.0, identity_keys=("user.id",))
    with FileLock(tmp_path / "compactor.lock", "merge files"):
        run_retention(tmp_path, retaining, Rounds(1), clock=lambda: NOW_NS)
    assert left(tmp_path) == {"day-3", "day-0"}
    run_retention(tmp_path, retaining, Rounds(1), clock=lambda: NOW_NS)
    assert left(tmp_path) == {"day-0"}
