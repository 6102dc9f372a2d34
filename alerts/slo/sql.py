"""The SQL around an SLO's queries: `queries/*.sql`, each with a place for one query of events."""

from functools import cache
from pathlib import Path
from typing import Final

_PLACE: Final = "(SELECT 'the events')"
_QUERIES: Final = Path(__file__).with_name("queries")


def statement(around: str, query: str) -> str:
    """Return `around` with the query in its place; a text that is no single SELECT is refused when it runs."""
    return around.replace(_PLACE, f"(\n{query.strip().rstrip(';')}\n)")


@cache
def minute_counts() -> str:
    """Return the query that counts events by minute and labels."""
    return (_QUERIES / "minute_counts.sql").read_text(encoding="utf-8")


@cache
def hour_counts() -> str:
    """Return the query that counts events by hour and labels."""
    return (_QUERIES / "hour_counts.sql").read_text(encoding="utf-8")


@cache
def checked_events() -> str:
    """Return the query that has what a rule would have: a value and labels."""
    return (_QUERIES / "checked_events.sql").read_text(encoding="utf-8")
