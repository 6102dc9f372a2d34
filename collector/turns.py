"""Whose turn it is on the event loop: what is done in slices gives way between them to requests that are short, as audit events are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SHORT_BYTES: Final = 8 << 10
"""Of the body of a request that goes first."""
PATIENCE_SECONDS: Final = 0.002
"""So long a slice waits for short requests to end: however many there are, long ones go on, too."""


class Turns:
    """Of one event loop."""

    def __init__(self) -> None:
        self._ahead = 0
        self._waiting: list[asyncio.Future[None]] = []

    @contextmanager
    def first(self, size_bytes: int) -> Iterator[None]:
        """Within it a request whose body is so large goes first, if that is short."""
        if size_bytes > SHORT_BYTES:
            yield
            return
        self._ahead += 1
        try:
            yield
        finally:
            self._ahead -= 1
            if not self._ahead:
                waiting, self._waiting = self._waiting, []
                for turn in waiting:
                    _come(turn)

    async def give_way(self) -> None:
        """Let others run, and first of all short requests; called between two slices."""
        await asyncio.sleep(0)
        if self._ahead:
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            self._waiting.append(turn)
            patience = loop.call_later(PATIENCE_SECONDS, _come, turn)
            try:
                await turn
            finally:
                patience.cancel()


def _come(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)


TURNS: Final = Turns()
"""Those of this process: it has one event loop that receives."""
