"""Work that ends whatever becomes of who waits for it."""

import asyncio
import gc
import weakref

import pytest

from collector.detached import detached


def test_it_returns_what_the_work_returns() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(detached(work())) == "done"


def test_it_ends_also_when_who_waits_goes_away() -> None:
    ended = []

    async def work(go: asyncio.Event) -> None:
        await go.wait()
        ended.append(True)

    async def main() -> None:
        go = asyncio.Event()
        waiting = asyncio.create_task(detached(work(go)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not ended
        go.set()
        for _round in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == [True]


def test_work_that_is_cancelled_ends_the_wait() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(detached(work()), 5)

    asyncio.run(main())


class Held:
    """What a request holds."""


def test_what_a_failed_request_held_is_freed_at_once() -> None:
    """A cycle of references would keep it until a collection, a minute later."""
    left: list[weakref.ref[Held]] = []

    async def work() -> None:
        held = Held()
        left.append(weakref.ref(held))
        await asyncio.sleep(0)
        raise ValueError

    async def main() -> None:
        try:
            await detached(work())
        except ValueError as error:
            error.__traceback__ = None
        assert left[0]() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
