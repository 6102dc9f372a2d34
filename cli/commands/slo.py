"""`auditlake slo`: objectives, what they attained, and what is left of their error budgets."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.slo.budget import Day, Standing
    from alerts.slo.counting import Counter
    from alerts.slo.keeping import Kept
    from storage.lake import Lake

PREDEFINED = Path("alerts/packs/slos.yaml")
QUERY_SECONDS = 300.0
MOST_DAYS = 30


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("slo")(slo)


def slo(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="SLO files. Default: those of the configuration.")] = None,
    name: Annotated[str | None, typer.Option("--slo", metavar="NAME", help="Only this SLO.")] = None,
    history: Annotated[
        int | None, typer.Option("--history", min=1, max=MOST_DAYS, metavar="DAYS", help="The error budget at the end of each day.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="RFC 3339 time, or so long ago: 24h. Default: now.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 when an error budget is spent.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Objectives over the last 30 days: attained, error budget left, burn rates, and how long it lasts."""
    from alerts.slo.budget import Condition, days, standings
    from alerts.slo.objectives import load_objectives
    from cli.commands._lake import moment
    from cli.reading import filters, reading

    now = datetime.now(UTC)
    objectives = [one for one in load_objectives(_files(files, config)) if name in (None, one.name)]
    if not objectives:
        fail(f"there is no SLO {name}" if name else "the files have no SLO", "`auditlake slo` without --slo shows all")
    directory = data_directory(data, config)
    asked = moment(at, "--at", now)
    asked_for = filters(slo=name, at=at, history=str(history) if history else None)
    with reading(directory, "slo", resource="objectives", statement=asked_for) as read, _kept(directory) as kept:
        instant = asked.replace(tzinfo=UTC) if asked is not None else _behind_watermark(now, directory)
        counters = _counted(read.lake, objectives, kept, instant, timedelta(days=history or 0))
        stood = [row for one in counters for row in standings(one.objective, one.counts, instant)]
        if history:
            by_day = [row for one in counters for row in days(one.objective, one.counts, instant, number=history)]
            rows = [_day(row) for row in by_day]
            shown = [_day_for_people(row) for row in by_day]
        else:
            rows = [_standing(row) for row in stood]
            shown = [_standing_for_people(row) for row in stood]
        read.shown(len(rows))
        print_rows(shown if output is OutputFormat.table else rows, output)
    if check and (spent := sorted({row.objective.name for row in stood if row.condition is Condition.SPENT})):
        typer.echo(f"auditlake: the error budget is spent: {', '.join(spent)}", err=True)
        raise typer.Exit(EXIT_NO)


def _files(files: Sequence[Path] | None, config: Path | None) -> list[Path]:
    from cli.configuration import load_or_fail, slo_files

    found = list(files) if files else slo_files(load_or_fail(config), config)
    return found or fail("the configuration names no SLO files", f"auditlake slo {PREDEFINED}")


@contextmanager
def _kept(directory: Path) -> Iterator["Kept"]:
    """Yield the counts that the alert process keeps, where there is one."""
    from alerts.errors import AlertsError
    from alerts.slo.keeping import Forgotten, KeptHours
    from alerts.state import AlertStore

    try:
        store = AlertStore.open(directory, read_only=True)
    except AlertsError:  # no alert process ever ran here, or an older one: everything is counted now
        yield Forgotten()
        return
    try:
        yield KeptHours(store.engine)
    finally:
        store.close()


def _behind_watermark(now: datetime, directory: Path) -> datetime:
    from alerts.scheduler import DEFAULT_QUERY_OFFSET_SECONDS
    from alerts.watermark import evaluation_time, ingest_watermark

    return evaluation_time(now, timedelta(seconds=DEFAULT_QUERY_OFFSET_SECONDS), ingest_watermark(directory))


def _counted(lake: "Lake", objectives: Sequence[Any], kept: "Kept", at: datetime, more: timedelta) -> list["Counter"]:
    """Count what is not counted yet, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from alerts.slo.counting import SHARED_HOURS, Counter
    from alerts.slo.objectives import PERIOD

    counters = [Counter(objective, kept, reach=PERIOD + more, hours_at_once=SHARED_HOURS) for objective in objectives]
    with Progress(console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty()) as progress:
        for counter in counters:
            task = progress.add_task(counter.objective.name, total=1.0)
            for done in counter.steps(lake, at, clean=_as_it_is, timeout_seconds=QUERY_SECONDS):
                progress.update(task, completed=done)
    return counters


def _as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    """Leave texts as they are: nothing is stored, and who asks may read the lake."""
    return [text for text, _ in items]


def _standing(row: "Standing") -> dict[str, Any]:
    lasts = row.lasts
    return {
        "service": row.objective.service,
        "slo": row.objective.name,
        "labels": dict(row.labels),
        "objective": row.objective.slo.objective,
        "state": str(row.condition),
        "bad": row.tally.bad,
        "total": row.tally.total,
        "attained": None if row.attained is None else 100 * row.attained,
        "budget_left": row.left,
        **{f"burn_{name}": rate for name, rate in row.burn_rates.items()},
        "exhausted_in_seconds": None if lasts is None else lasts.total_seconds(),
    }


def _standing_for_people(row: "Standing") -> dict[str, str]:
    return {
        "slo": row.objective.name,
        "for": " ".join(text for _, text in row.labels),
        "state": str(row.condition),
        "objective": f"{row.objective.slo.objective:g}%",
        "attained": _percent(row.attained, 4),
        "bad": f"{row.tally.bad:,g} of {row.tally.total:,.0f}",
        "budget left": _percent(row.left, 1),
        **{f"burn {name}": "" if rate is None else f"{rate:.2f}" for name, rate in row.burn_rates.items()},
        "lasts": _lasts(row),
    }


def _lasts(row: "Standing") -> str:
    from alerts.durations import format_duration

    if row.left is None:
        return ""
    if row.lasts is None:
        return "for ever"
    hours = row.lasts // timedelta(hours=1)
    return format_duration(timedelta(hours=hours) if hours >= 1 else timedelta(minutes=row.lasts // timedelta(minutes=1)))


def _day(row: "Day") -> dict[str, Any]:
    from alerts.slo.budget import attained

    share = attained(row.tally)
    return {
        "service": row.objective.service,
        "slo": row.objective.name,
        "labels": dict(row.labels),
        "objective": row.objective.slo.objective,
        "day": row.day,
        "bad": row.tally.bad,
        "total": row.tally.total,
        "attained": None if share is None else 100 * share,
        "period_bad": row.period.bad,
        "period_total": row.period.total,
        "budget_left": row.left,
    }


def _day_for_people(row: "Day") -> dict[str, str]:
    from alerts.slo.budget import attained

    return {
        "slo": row.objective.name,
        "for": " ".join(text for _, text in row.labels),
        "day": row.day.isoformat(),
        "bad": f"{row.tally.bad:,g} of {row.tally.total:,.0f}",
        "attained": _percent(attained(row.tally), 4),
        "budget left": _percent(row.left, 1),
    }


def _percent(share: float | None, digits: int) -> str:
    """A share as a percentage, rounded down: 99.99996 % is not 100 %."""
    if share is None:
        return ""
    text = f"{math.floor(share * 10 ** (digits + 2)) / 10**digits:.{digits}f}"
    return text.rstrip("0").rstrip(".") + "%"
