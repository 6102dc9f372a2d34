"""Durations as Prometheus writes them: `90s`, `5m`, `1h30m`, `2w`, `500ms`.

Grammar of Prometheus' configuration: each unit at most once, the larger first, whole numbers, and `0` alone.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_MILLISECONDS: Final = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
_UNITS: Final = ("y", "w", "d", "h", "m", "s", "ms")


def parse_duration(text: str) -> timedelta:
    """Return the duration; raises ValueError for anything but Prometheus' grammar."""
    if text == "0":
        return timedelta()
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("not a duration: write it like 30s, 5m, 1h30m or 2d")
    milliseconds = sum(int(digits) * size for digits, size in zip(match.groups(), _MILLISECONDS, strict=True) if digits)
    try:
        return timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("a duration this long cannot be counted") from None


def align(moment: datetime, interval: timedelta) -> datetime:
    """Return the last multiple of `interval` since 1970 that is not after `moment` (aware)."""
    return moment - (moment - _EPOCH) % interval


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads as `duration` (whole milliseconds)."""
    left = duration // timedelta(milliseconds=1)
    if left == 0:
        return "0s"
    parts = []
    for size, unit in list(zip(_MILLISECONDS, _UNITS, strict=True))[2:]:  # no years and weeks: people think in days
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts)
