"""However many calls one sender begins, others find a place."""

import asyncio

import pytest

from collector.errors import Overloaded
from collector.lines import Lines

ACME, UMBRELLA = ("acme", True), ("umbrella", True)


def test_a_sender_takes_half_of_the_places_waits_for_more_and_leaves_the_rest() -> None:
    async def main() -> None:
        lines = Lines(places=4, calls=6)
        stalled = lines.of(ACME)
        for _ in range(2):
            await stalled.__aenter__()
        third = asyncio.create_task(stalled.__aenter__())
        await asyncio.sleep(0)
        assert not third.done()
        with pytest.raises(Overloaded, match="too many calls"):
            await stalled.__aenter__()
        async with lines.of(UMBRELLA):
            pass
        await stalled.__aexit__()
        await asyncio.wait_for(third, 5)

    asyncio.run(main())


def test_a_call_that_gives_up_waiting_is_counted_no_longer() -> None:
    async def main() -> None:
        line = Lines(places=2, calls=4).of(ACME)
        await line.__aenter__()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(line.__aenter__(), 0.001)
        await line.__aexit__()
        async with line:
            pass

    asyncio.run(main())
