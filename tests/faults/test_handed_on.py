"""kill -9, and a power loss, at every call of the disk while what waits to be forwarded is copied, refused or erased.

Who does it again has it done, and what was done stays done.
"""

import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.handed_on import WORKS, again, calls, die
from tests.faults.power import KEPT
from tests.forkserver import exit_code

LEAST_CALLS = {"a segment is copied": 4, "a backend refuses a request": 20, "records are erased": 6}


@pytest.fixture(params=WORKS)
def work(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def prepared(work: str, tmp_path: Path) -> Path:
    data = tmp_path / "prepared" / "data"
    data.mkdir(parents=True)
    WORKS[work].prepare(data)
    return data


def test_a_kill_or_a_power_loss_is_made_good_by_doing_it_again(work: str, prepared: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "data"
    shutil.copytree(prepared, whole)
    reached = calls(whole, work)
    WORKS[work].check(whole)
    assert len(reached) >= LEAST_CALLS[work]
    for number in range(len(reached)):
        for kept in (None, KEPT[number % len(KEPT)]):
            data = tmp_path / f"{number} {kept}" / "data"
            shutil.copytree(prepared, data)
            assert exit_code(die, str(data), work, number, kept) == -signal.SIGKILL
            again(data, work)
            WORKS[work].check(data)


@pytest.mark.parametrize("kept", KEPT)
def test_a_power_loss_takes_nothing_back_that_was_done(work: str, kept: str, prepared: Path) -> None:
    assert exit_code(die, str(prepared), work, 1_000, kept) == -signal.SIGKILL
    WORKS[work].check(prepared)
