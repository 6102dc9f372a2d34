"""How the reading commands open the lake: quietly, and with what is wrong with it said on stderr."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.options import data_directory, fail

if TYPE_CHECKING:
    from storage.damage import Damage
    from storage.lake import Lake

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@contextmanager
def opened(data: Path | None, command: str) -> Iterator["Lake"]:
    """Open the lake for a command; files that are left out of its answer are named on stderr at the end, also when it found nothing."""
    from cli.logs import configure_logs
    from storage.lake import Lake

    configure_logs(command, level=logging.ERROR)  # the warnings below say it better
    with Lake.open(data_directory(data)) as lake:
        try:
            yield lake
        finally:
            tell_damage(lake.damaged)


def tell_damage(damaged: Sequence["Damage"]) -> None:
    """Name files that an answer lacks, on stderr."""
    if not damaged:
        return
    from storage.damage import REMEDY

    for damage in damaged:
        typer.echo(f"warning: {damage.path} is left out with its {damage.rows} rows: {damage.reason} → {REMEDY}", err=True)


def moment(text: str | None, option: str, now: datetime) -> datetime | None:
    """Read a time: `90s`, `15m`, `24h`, `7d`, `2w` before `now`, or RFC 3339; naive UTC. Exits with 2 when it is neither."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    try:
        if unit in UNITS and number.replace(".", "", 1).isdecimal():
            return (now - timedelta(**{UNITS[unit]: float(number)})).astimezone(UTC).replace(tzinfo=None)
        given = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        fail(f"{option} {text} is not a time", "write 24h, 7d, or 2026-11-21T12:00:00Z")
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
