"""How the reading commands open the lake: quietly, and with what is wrong with it said on stderr."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from cli.figures import printable
from cli.options import DEFAULT_CONFIG, EXIT_NO, data_directory, fail

if TYPE_CHECKING:
    from storage.damage import Damage
    from storage.lake import Lake

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@contextmanager
def opened(
    data: Path | None, command: str, *, abandoned_after: str | None = None, clock: Callable[[], int] = time.time_ns
) -> Iterator["Lake"]:
    """Open the lake for a command; files that are left out of its answer are named on stderr at the end, also when it found nothing.

    `abandoned_after` is the command's option, if it has one; `clock` (unix ns) says when it is.
    """
    from cli.logs import configure_logs
    from storage.lake import Lake

    configure_logs(command, level=logging.ERROR)  # the warnings below say it better
    directory = data_directory(data)
    with Lake.open(directory, clock=clock, abandoned_after_seconds=silence_seconds(abandoned_after)) as lake:
        try:
            yield lake
        finally:
            tell_damage(lake.damaged)


def silence_seconds(option: str | None = None) -> float:
    """Return after how long a silence a run is abandoned: the option, else the configuration's value. Exits with 2 when it is no time."""
    from storage.lake import ABANDONED_AFTER_SECONDS

    if option is not None:
        number, unit = option[:-1], option[-1:]
        if unit not in UNITS or not number.replace(".", "", 1).isdecimal() or not float(number):
            fail(f"--abandoned-after {option} is not a time", "write 90s, 15m or 2h")
        return timedelta(**{UNITS[unit]: float(number)}).total_seconds()
    if not DEFAULT_CONFIG.exists():
        return ABANDONED_AFTER_SECONDS
    from cli.configuration import load_unrouted
    from collector.config import ConfigError

    try:
        return load_unrouted().abandoned_after_seconds
    except ConfigError:
        typer.echo(f"warning: {DEFAULT_CONFIG} has errors, so runs are abandoned after 15m → auditlake validate shows them", err=True)
        return ABANDONED_AFTER_SECONDS


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


class SeveralRuns(typer.Exit):
    """A beginning that several runs have. Whoever reads the lake names them when that is recorded (`cli.reading`)."""

    def __init__(self, text: str, candidates: Sequence[str], code: int) -> None:
        super().__init__(code)
        self.message = printable(f"several runs begin with {text}: {', '.join(candidates)} …")
        self.count = len(candidates)


def one_run(lake: "Lake", text: str, *, code: int = EXIT_NO) -> str:
    """Return the id of the run that `text` means: its id, one of its traces, or a beginning that no other has; else exits with `code`."""
    from storage.runs import find

    candidates = find(lake, text)
    if len(candidates) > 1:
        raise SeveralRuns(text, candidates, code)
    if not candidates:
        unknown_run(text, code=code)
    return candidates[0]


def unknown_run(text: str, *, code: int = EXIT_NO) -> NoReturn:
    """Exit with `code`: there is no such run."""
    fail(f"there is no run {text}", "`auditlake runs --since all` lists the runs of this lake; is --data the right one?", code=code)
