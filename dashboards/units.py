"""Numbers as people read them: one way to write a duration, a cost, a count, a share, a size and a time, on every page. Pure.

Unknown is written as an em dash and never as 0, because NULL in the lake means unknown.
"""

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNKNOWN: Final = "—"


def duration(milliseconds: float | None) -> str:
    """A duration with its unit, three significant figures at most: `420 µs`, `1.25 s`, `3 min 07 s`, `2 h 05 min`, `3 d 4 h`."""
    if milliseconds is None:
        return UNKNOWN
    if milliseconds >= 59_950:
        return _long_duration(round(milliseconds / 1000))
    if milliseconds >= 999.5:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 1 or milliseconds == 0 else f"{milliseconds * 1000:.0f} µs"


def _long_duration(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def cost(usd: float | None) -> str:
    """US dollars; below a cent with the digits that matter, so that a model call is never `$0.00`."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    if abs(usd) < 0.000_001:
        return "<$0.000001"
    if abs(usd) < 0.01:
        return f"${usd:.6f}".rstrip("0")
    return f"${usd:,.4f}" if abs(usd) < 1 else f"${usd:,.2f}"


def count(number: float | None) -> str:
    """A whole number with thin groups: `12 408`; large ones short: `1.24 M`."""
    if number is None:
        return UNKNOWN
    if abs(number) >= 1_000_000:
        return f"{number / 1_000_000:.3g} M"
    return f"{number:,.0f}".replace(",", "\u202f")


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 step`, `2 steps`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def rate(per_second: float | None) -> str:
    """Records a second."""
    if per_second is None:
        return UNKNOWN
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.2g}/s"


def share(part: float | None, whole: float | None) -> str:
    """A percentage; unknown when there is no whole, `<0.1 %` rather than a rounded zero, `>99.9 %` rather than a rounded all."""
    if part is None or not whole:
        return UNKNOWN
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.3g} %"


def size(number: float | None) -> str:
    """Bytes in binary units."""
    if number is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.3g} {unit}" if unit != "B" else f"{number:.0f} B"
        number /= 1024
    return f"{number:.3g} TiB"


def zone(name: str | None) -> tzinfo | None:
    """The reader's time zone, or None when the browser did not say or said one that this machine does not know."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def moment(time: datetime | None, local: tzinfo | None = None, *, precise: bool = False) -> str:
    """A naive UTC time as `2026-11-21 12:37:21 UTC · 13:37:21 CET`; the local part only where it differs."""
    if time is None:
        return UNKNOWN
    aware = time.replace(tzinfo=UTC)
    clock = "%H:%M:%S.%f" if precise else "%H:%M:%S"
    text = aware.strftime(f"%Y-%m-%d {clock}")
    text = f"{text[:-3] if precise else text} UTC"
    if local is None or aware.astimezone(local).utcoffset() == aware.utcoffset():
        return text
    there = aware.astimezone(local)
    day = "" if there.date() == aware.date() else there.strftime("%Y-%m-%d ")
    return f"{text} · {day}{there.strftime('%H:%M:%S %Z')}"


def ago(time: datetime | None, now: datetime) -> str:
    """How long before `now` (both naive UTC)."""
    if time is None:
        return "never"
    seconds = (now - time).total_seconds()
    return "just now" if seconds < 1 else f"{duration(seconds * 1000)} ago"
