"""The axis of a run: which stretches are idle, where a moment stands once idle time is folded, and where the ticks go. Pure.

A run that waits ten minutes for a person would show everything else as hair lines. Idle stretches (no leaf step under way) longer than
a twentieth of the run can be folded to a fixed width each, marked with how long they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dashboards import units

IDLE_SHARE: Final = 0.05
IDLE_MIN_MS: Final = 500.0
FOLDED_SHARE: Final = 0.03
_TICKS: Final = 6
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A stretch, in ms since the run began, in which nothing worked."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on the axis; `at` is a fraction of its width."""

    at: float
    label: str
    idle: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Maps ms since the run began to a fraction of the width, 0 to 1."""

    total_ms: float
    folded: tuple[Idle, ...] = ()

    def at(self, milliseconds: float) -> float:
        """Where the moment stands; moments outside of the run are pinned to its ends."""
        if self.total_ms <= 0:
            return 0.0
        inside = min(max(milliseconds, 0.0), self.total_ms)
        idle = sum(gap.end - gap.start for gap in self.folded)
        busy = max(self.total_ms - idle, 1e-9)
        room = 1.0 - FOLDED_SHARE * len(self.folded)
        place, skipped = 0.0, 0.0
        for gap in self.folded:
            if inside <= gap.start:
                break
            passed = (min(inside, gap.end) - gap.start) / (gap.end - gap.start)
            place += FOLDED_SHARE * passed
            skipped += min(inside, gap.end) - gap.start
        return min(place + (inside - skipped) / busy * room, 1.0)

    def ticks(self) -> list[Tick]:
        """Round times along the axis, and one mark in the middle of each folded stretch."""
        marks = [Tick(at=self.at((gap.start + gap.end) / 2), label=units.duration(gap.end - gap.start), idle=True) for gap in self.folded]
        busy = self.total_ms - sum(gap.end - gap.start for gap in self.folded)
        step = _round_step(busy / _TICKS) if busy > 0 else 0.0
        if step <= 0:
            return marks
        moment, last = 0.0, -1.0
        while moment <= self.total_ms and len(marks) < 200:
            place = self.at(moment)
            inside = any(gap.start < moment < gap.end for gap in self.folded)
            near = any(mark.idle and abs(mark.at - place) < 0.06 for mark in marks)
            if not inside and not near and place - last >= 0.08 and place <= 0.95:
                marks.append(Tick(at=place, label=units.duration(moment)))
                last = place
            moment += step
        return sorted(marks, key=lambda tick: tick.at)


def _round_step(about: float) -> float:
    """The round number (1, 2 or 5 times a power of ten) at or above `about`; whole seconds grow to minutes and hours."""
    for whole in (60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000):
        if about > 30_000 and about <= whole:
            return float(whole)
    power = 10.0 ** _exponent(about)
    return next((factor * power for factor in _STEPS if factor * power >= about), 10 * power)


def _exponent(number: float) -> int:
    exponent = 0
    while number >= 10:
        number, exponent = number / 10, exponent + 1
    while 0 < number < 1:
        number, exponent = number * 10, exponent - 1
    return exponent


def idle_stretches(busy: Sequence[tuple[float, float]], total_ms: float) -> tuple[Idle, ...]:
    """The long stretches that none of the `busy` (start, end) pairs covers, in order."""
    shortest = max(total_ms * IDLE_SHARE, IDLE_MIN_MS)
    found: list[Idle] = []
    reached = 0.0
    for start, end in sorted([*busy, (total_ms, total_ms)]):
        if start - reached >= shortest:
            found.append(Idle(start=reached, end=start))
        reached = max(reached, end)
    return tuple(found)
