"""The time range of a page: its length, where it begins, and how wide the buckets of its charts are. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

RANGES: Final[dict[str, tuple[int, int]]] = {
    "15m": (900, 15),
    "1h": (3600, 60),
    "6h": (21_600, 300),
    "24h": (86_400, 1200),
    "7d": (604_800, 10_800),
    "30d": (2_592_000, 43_200),
}
"""Name → seconds, and seconds a bucket: about sixty buckets each."""
DEFAULT: Final = "24h"
WORDS: Final = {"15m": "15 minutes", "1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`start` and `previous` (the start of the equally long window before) are naive UTC and stand on a bucket's edge.

    So a window stays the same for the length of a bucket, and so do the answers that are kept for it.
    """

    name: str
    start: datetime
    previous: datetime
    end: datetime
    bucket_seconds: int

    @property
    def words(self) -> str:
        return WORDS[self.name]

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    @property
    def domain(self) -> tuple[int, int]:
        """Start and end in unix ms, for a chart's axis."""
        return milliseconds(self.start), milliseconds(self.end)


def window(name: str | None, now_ns: int) -> Window:
    """The window called `name` that ends with the bucket of `now_ns`; an unknown name gives the default one."""
    name = name if name in RANGES else DEFAULT
    seconds, bucket = RANGES[name]
    end = (now_ns // 1_000_000_000 // bucket + 1) * bucket
    start = from_seconds(end - seconds)
    return Window(name=name, start=start, previous=start - timedelta(seconds=seconds), end=from_seconds(end), bucket_seconds=bucket)


def from_seconds(seconds: float) -> datetime:
    """Unix seconds as naive UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)


def milliseconds(time: datetime) -> int:
    """Naive UTC as unix ms."""
    return int(time.replace(tzinfo=UTC).timestamp() * 1000)


def nanoseconds(time: datetime) -> int:
    """Naive UTC as unix ns, to the µs."""
    return milliseconds(time) * 1_000_000
