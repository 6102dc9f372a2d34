"""A running collector removes what expired, time and again."""

import threading
from pathlib import Path

import pytest

from collector.config_retention import Retaining
from collector.retaining import run_retention
from storage.durable import FileLock
from storage.retention_rules import RetentionRule
from tests.collector.otlp_samples import NOW_NS
from tests.people import left, run
from tests.sealed_lake import seal

DAY = 86_400.0


class Rounds(threading.Event):
    """Is set after so many waits."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds

    def wait(self, timeout: float | None = None) -> bool:
        """Count a round."""
        del timeout
        self.rounds -= 1
        return self.rounds < 0


def test_what_expired_goes_in_the_next_round(tmp_path: Path) -> None:
    """And nothing else."""
    seal(tmp_path, run("day-3", "bob", days=3), run("day-0", "bob"))
    retaining = Retaining(rules=(RetentionRule(keep_seconds=2 * DAY),), interval_seconds=1.0, identity_keys=("user.id",))
    run_retention(tmp_path, retaining, Rounds(1), clock=lambda: NOW_NS)
    assert left(tmp_path) == {"day-0"}


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
