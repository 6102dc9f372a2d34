"""The window in which an exact resend is known: ten minutes by a clock that does not jump, and a number of digests at most."""

import asyncio

import pytest

from collector.errors import Unavailable
from collector.resends import MAX_DIGESTS, WINDOW_SECONDS, Resends, Stored
from storage.layout import Delivery

KEY = b"k" * 32
STORED = Delivery("another/collector", 7, 1_800_000_000_000_000_000)


class Clock:
    """A clock that is set."""

    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def test_digests_are_remembered_for_the_window_and_not_much_longer() -> None:
    async def test() -> None:
        clock = Clock()
        resends = Resends(KEY, clock=clock)
        resends.remember(b"before a restart", STORED, age_seconds=300)
        resends.remember(b"old", STORED)
        clock.seconds += WINDOW_SECONDS - 1
        assert resends.first_commit(b"before a restart") is None
        assert resends.first_commit(b"old") is not None
        resends.remember(b"new", STORED)
        clock.seconds += 120
        assert resends.first_commit(b"old") is None
        assert resends.first_commit(b"new") is not None
        clock.seconds += WINDOW_SECONDS + 60  # nothing arrived meanwhile
        assert resends.first_commit(b"new") is None

    asyncio.run(test())


@pytest.mark.parametrize("seconds_apart", [0, 60])
def test_digests_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch, seconds_apart: int) -> None:
    """However they are spread over time."""
    assert MAX_DIGESTS * 131 < 128 << 20
    monkeypatch.setattr("collector.resends.MAX_DIGESTS", 100)

    async def test() -> None:
        clock = Clock()
        resends = Resends(KEY, clock=clock)
        for minute in range(5):
            for number in range(50):
                resends.remember(bytes([minute, number]), STORED)
            clock.seconds += seconds_apart
        known = [resends.first_commit(bytes([minute, number])) is not None for minute in range(5) for number in range(50)]
        assert 90 <= sum(known) <= 100
        assert all(known[-90:])

    asyncio.run(test())


def test_who_sends_the_same_meanwhile_is_told_what_became_of_the_first() -> None:
    async def test() -> None:
        resends = Resends(KEY)
        resends.expect(b"stored")
        waiting = resends.first_commit(b"stored")
        resends.settle(b"stored", Stored(STORED))
        again = resends.first_commit(b"stored")
        assert waiting is not None
        assert again is not None
        assert (await waiting).at == (await again).at == STORED
        resends.expect(b"failed")
        waiting = resends.first_commit(b"failed")
        resends.fail(b"failed", Unavailable("full"))
        assert waiting is not None
        with pytest.raises(Unavailable):
            await waiting
        assert resends.first_commit(b"failed") is None, "who comes now is the first"

    asyncio.run(test())
