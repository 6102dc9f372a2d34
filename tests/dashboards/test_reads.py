"""What the pages ask of the lake, and how often."""

import time
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from streamlit.testing.v1 import AppTest

from dashboards import reads
from storage.errors import StorageError
from tests.dashboards import fixture_lake

SECOND = 1_000_000_000


class Clock:
    """Unix ns that pass when they are told to."""

    def __init__(self) -> None:
        self.ns = 1_000 * SECOND

    def __call__(self) -> int:
        return self.ns

    def past(self, seconds: float) -> int:
        self.ns += int(seconds * SECOND)
        return self.ns


def visit(lake: Path, page: str, clock: Clock, *, takes: float = 0.0, fails: bool = False) -> int:
    """Open a page whose answers take so many seconds; returns as of when it is."""
    with reads.steady(str(lake), page, clock) as (_, now_ns):
        clock.past(takes)
        if fails:
            raise StorageError("read the lake", lake, hint="ask for a shorter time range")
    return now_ns


def test_a_page_that_refreshes_asks_again_after_four_times_as_long_as_its_answers_took(empty_lake: Path) -> None:
    clock = Clock()
    first = visit(empty_lake, "slow", clock, takes=3)
    clock.past(11)
    assert visit(empty_lake, "slow", clock) == first
    assert visit(empty_lake, "another", clock) == clock.ns
    clock.past(1)
    assert visit(empty_lake, "slow", clock) == clock.ns > first


def test_who_comes_while_a_page_is_answered_gets_what_is_being_asked(empty_lake: Path) -> None:
    clock = Clock()
    with reads.steady(str(empty_lake), "shared", clock) as (_, first):
        clock.past(20)
        assert visit(empty_lake, "shared", clock) == first


def test_a_page_that_was_left_or_failed_keeps_nobody_waiting(empty_lake: Path) -> None:
    clock = Clock()
    with pytest.raises(StorageError):
        visit(empty_lake, "failed", clock, takes=2, fails=True)
    clock.past(8)
    assert visit(empty_lake, "failed", clock) == clock.ns


def test_a_clock_that_was_set_back_does_not_stop_a_page(empty_lake: Path) -> None:
    clock = Clock()
    visit(empty_lake, "set back", clock, takes=10)
    clock.past(-100)
    assert visit(empty_lake, "set back", clock) == clock.ns


def test_an_answer_of_a_version_is_kept_while_the_lake_goes_on(tmp_path: Path) -> None:
    def runs(seen: int) -> int:
        return len(reads.ask(str(tmp_path), "runs_latest", seen=seen, start=datetime(2020, 1, 1)).rows)  # noqa: DTZ001 - naive UTC

    now = time.time_ns()
    for entry, expected in ((1, [1, 1]), (2, [1, 2])):
        rows = fixture_lake.Rows()
        fixture_lake.live(rows, Random(entry), f"live{entry:08x}", now)
        fixture_lake.publish(tmp_path, rows, now, entry=entry)
        assert [runs(seen=1), runs(seen=entry)] == expected


def test_the_other_runs_of_a_session_are_those_with_its_id_and_tenant(full_lake: Path) -> None:
    found = reads.run(str(full_lake), fixture_lake.RUN_SUPPORT)
    assert found is not None
    assert [row["run_id"] for row in reads.related_runs(str(full_lake), found["run"]).rows] == ["a11ce1support"]


def _failing() -> None:
    """The script that AppTest runs: a part of a page that is drawn anew by itself, over a lake that cannot be read any more."""
    import streamlit as st

    from dashboards.panels import remedied
    from storage.errors import StorageError

    def part() -> None:
        with remedied():
            raise StorageError("read the lake", "/lake", hint="out of memory: ask for a shorter time range")

    st.fragment(part)()


@pytest.fixture
def failed() -> AppTest:
    return AppTest.from_function(_failing, default_timeout=60).run()


def test_what_fails_in_a_part_that_refreshes_says_what_to_do(failed: AppTest) -> None:
    assert not failed.exception
    assert [error.value for error in failed.error] == ["Could not read the lake."]
    assert [info.value for info in failed.info] == ["What to do: out of memory: ask for a shorter time range."]
