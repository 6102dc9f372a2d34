"""Requests in slices give way to short ones, and go on all the same."""

import asyncio

from collector.turns import SHORT_BYTES, Turns


def order(size_bytes: int, steps: int) -> list[str]:
    """What happens when a request of this size takes so many steps beside a long one of two slices."""
    happened: list[str] = []

    async def long(turns: Turns) -> None:
        happened.append("slice")
        await turns.give_way()
        happened.append("slice")

    async def other(turns: Turns) -> None:
        with turns.first(size_bytes):
            for _step in range(steps):
                happened.append("step")
                await asyncio.sleep(0)

    async def both() -> None:
        turns = Turns()
        await asyncio.gather(long(turns), other(turns))

    asyncio.run(both())
    return happened


def test_a_short_request_ends_before_the_next_slice() -> None:
    assert order(SHORT_BYTES, 5) == ["slice", *["step"] * 5, "slice"]


def test_long_requests_take_turns() -> None:
    assert order(SHORT_BYTES + 1, 5) == ["slice", "step", "slice", *["step"] * 4]


def test_short_requests_without_end_keep_nobody_from_going_on() -> None:
    async def flooded() -> None:
        turns = Turns()
        with turns.first(1):
            await asyncio.wait_for(turns.give_way(), 60)

    asyncio.run(flooded())
