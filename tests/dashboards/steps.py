"""Steps as a reconstruction gives them, short to write in tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 11, 21, 12, tzinfo=UTC).replace(tzinfo=None)


def step(
    record_id: str, start: float, end: float | None, *, parent: str | None = None, kind: str = "tool", **columns: Any
) -> dict[str, Any]:
    """A span from `start` to `end`, in seconds since the run began; an end of None is one that did not come."""
    took = None if end is None else (end - start) * 1000
    return {
        "record_id": record_id,
        "parent_record_id": parent,
        "kind": kind,
        "name": record_id,
        "source": "span",
        "status": "unset",
        "depth": 0 if parent is None else 1,
        "started_at": BEGAN + timedelta(seconds=start),
        "ended_at": None if end is None else BEGAN + timedelta(seconds=end),
        "duration_ms": took,
        "attributes": {},
    } | columns
