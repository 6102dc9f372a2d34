"""Hyperscan's databases: which of many expressions match a text, and where. Everything here is asked for every new text."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

MOST_PLACES: Final = 400
"""Of so many places of one shape the closer look is not worth it."""


def hyperscan() -> Any:
    """Return the hyperscan module, or None on a platform without it."""
    try:
        import hyperscan as module
    except ImportError:
        return None
    return module


class Database:
    """Expressions compiled together; safe in any thread. Positions are those of UTF-8 bytes."""

    def __init__(self, content: bytes) -> None:
        """`content` is what `compiled` returned. Raises `ValueError` when it was made for another machine."""
        module = hyperscan()
        if module is None:
            raise ValueError("made where hyperscan was installed")
        try:
            self._database = module.loadb(content, module.HS_MODE_BLOCK)
        except module.error as error:
            raise ValueError(f"made for another machine: {type(error).__name__}") from None
        self._make_scratch: Callable[[Any], Any] = module.Scratch
        self._terminated = module.ScanTerminated
        self._scratch = threading.local()

    def search(self, data: bytes, hits: list[int]) -> None:
        """Append the numbers of the expressions that match."""
        self._database.scan(data, match_event_handler=_note, context=hits, scratch=self._own_scratch())

    def places(self, data: bytes) -> list[int] | None:
        """Return where matches end; None when there are too many."""
        ends: list[int] = []
        try:
            self._database.scan(data, match_event_handler=_note_end, context=ends, scratch=self._own_scratch())
        except self._terminated:
            return None
        return ends

    def _own_scratch(self) -> Any:
        try:
            return self._scratch.own
        except AttributeError:
            self._scratch.own = self._make_scratch(self._database)
            return self._scratch.own


def compiled(expressions: Sequence[tuple[str, int]]) -> bytes | None:
    """Return expressions with their flags compiled; None when Hyperscan refuses one, nothing where there are none or no Hyperscan."""
    module = hyperscan()
    if module is None or not expressions:
        return b""
    database = module.Database(mode=module.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[expression.encode() for expression, _ in expressions],
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[flags for _, flags in expressions],
        )
    except module.error:
        return None
    return bytes(module.dumpb(database))


def _note(expression: int, _start: int, _end: int, _flags: int, hits: list[int]) -> None:
    hits.append(expression)


def _note_end(_expression: int, _start: int, end: int, _flags: int, ends: list[int]) -> bool:
    ends.append(end)
    return len(ends) > MOST_PLACES
