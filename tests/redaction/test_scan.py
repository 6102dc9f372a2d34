"""Long texts: parts that cover them, and a budget for all of them together."""

from collections.abc import Sequence

import pytest

from redaction.findings import Finding, Findings
from redaction.scan import CHUNK_CHARS, Scanner, allowance_seconds, parts


class Clock:
    """CPU time that passes when somebody works."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Slow:
    """Finds every `x`; each look costs a fixed time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.looks = 0

    def find(self, text: str, context: Sequence[str]) -> Findings:
        self._clock.seconds += self._seconds
        self.looks += 1
        return tuple(Finding(index, index + 1, "X", 1.0, "test") for index, char in enumerate(text) if char == "x")

    def find_long(self, text: str) -> Findings:
        return ()


def test_a_text_has_one_budget_for_all_its_chunks() -> None:
    """Chunks that each stay within theirs do not add up without end, and the rest is not looked at."""
    clock = Clock()
    slow = Slow(clock, 0.4)
    text = "word " * 200_000
    assert Scanner(slow, timeout_seconds=0.5, clock=clock).verdict(text, ()) == "timeout"
    assert clock.seconds <= allowance_seconds(text, 0.5) + 0.4
    assert slow.looks < 30


def test_a_benign_long_text_passes() -> None:
    """A megabyte of prose at ten times the usual cost."""
    clock = Clock()
    text = "word " * 200_000 + "x"
    verdict = Scanner(Slow(clock, 0.02), timeout_seconds=0.5, clock=clock).verdict(text, ())
    assert verdict == (Finding(len(text) - 1, len(text), "X", 1.0, "test"),)


@pytest.mark.parametrize("length", [0, 1, CHUNK_CHARS, CHUNK_CHARS + 1, 50_000])
def test_parts_cover_the_text(length: int) -> None:
    """Every character is in a chunk at its offset; a long text is also a part as a whole."""
    text = ("so it goes " * 5_000)[:length]
    covered = set()
    for part in parts(text):
        assert text[part.offset : part.offset + len(part.text)] == part.text
        if not part.whole:
            covered |= set(range(part.offset, part.offset + len(part.text)))
    assert covered == set(range(length))
    assert any(part.whole for part in parts(text)) == (length > CHUNK_CHARS)
