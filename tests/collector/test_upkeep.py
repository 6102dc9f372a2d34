"""What minds the sealer."""

from pathlib import Path

from collector.upkeep import HUNG_SECONDS, Progress


def test_a_sealer_is_stuck_when_the_same_segment_stays_the_oldest_and_not_when_others_follow() -> None:
    """However long the queue is: under load segments wait for minutes, and are sealed one after the other."""
    progress, first, second = Progress(), Path("1.wal"), Path("2.wal")
    assert not progress.is_stuck(first, 0.0)
    assert not progress.is_stuck(first, HUNG_SECONDS - 1)
    assert not progress.is_stuck(second, HUNG_SECONDS)
    assert not progress.is_stuck(second, 2 * HUNG_SECONDS - 1)
    assert progress.is_stuck(second, 2 * HUNG_SECONDS)
    assert not progress.is_stuck(second, 2 * HUNG_SECONDS + 1), "the new process has as long"
    assert progress.is_stuck(second, 3 * HUNG_SECONDS)
    assert not progress.is_stuck(None, 9 * HUNG_SECONDS), "nothing waits"
