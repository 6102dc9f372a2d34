"""One sender's share of the places for receiving: however many messages it begins and leaves unsent, others find a place."""

import asyncio
from typing import Final

from collector.errors import Overloaded
from collector.sender import Account

_SHARE: Final = 2
"""A sender may take one in so many places."""


class Line:
    """The calls of one account: so many receive, so many more wait, and further ones are told to come again."""

    def __init__(self, places: int, most_calls: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._most_calls = most_calls
        self._calls = 0

    async def __aenter__(self) -> None:
        """Wait for a place of this line; raises Overloaded when too many wait already."""
        if self._calls >= self._most_calls:
            raise Overloaded("too many calls of this sender are under way: send again later")
        self._calls += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._calls -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        """Give the place to the next."""
        self._calls -= 1
        self._places.release()


class Lines:
    """The line of each account, half of `places` and of `calls` each; as many as there are credentials."""

    def __init__(self, places: int, calls: int) -> None:
        self._places = max(1, places // _SHARE)
        self._calls = max(1, calls // _SHARE)
        self._lines: dict[Account, Line] = {}

    def of(self, account: Account) -> Line:
        """Return the line of an account."""
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = Line(self._places, self._calls)
        return line
