"""`auditlake rederive`: read sealed rows again with today's dialects and prices."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from collector.rederiving import Rederiving, Report, Wanted
    from storage.derivations import Publisher, Slice


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rederive")(rederive)


def rederive(
    config: ConfigOption = None,
    data: DataOption = None,
    since: Annotated[str | None, typer.Option("--since", help="Rows from this time on: 24h, 7d, 2026-11-21T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Rows up to this time.")] = None,
    dialect: Annotated[str | None, typer.Option("--dialect", help="Rows that this dialect read, or reads now.")] = None,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Only rows that other versions of dialects or prices than today's made: quicker.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change, by dialect and column.")] = False,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Read stored records again with today's dialects and prices; what changed stands over the sealed rows, which stay as they are."""
    import time

    from collector.dialects import DIALECTS
    from collector.pricing import Pricer
    from collector.rederiving import Rederiving
    from storage.lake import Lake

    known = [each.name for each in DIALECTS]
    if dialect is not None and dialect not in known:
        fail(f"there is no dialect {dialect}", f"choose one of {', '.join(known)}")
    wanted = _wanted(since, until, dialect, only_changed=only_changed)
    loaded = _configuration(config)
    directory = data_directory(data, config)
    with Lake.open(directory) as lake, _publisher(directory, loaded, dry_run=dry_run) as publisher:
        record = _Record(loaded, directory)
        run = Rederiving(lake, Pricer(loaded.prices), wanted, time.time_ns, publisher, announce=record.begins)
        _read_all(run, run.slices())
        run.finish()
        if not dry_run and (run.report.changed or run.report.moved_traces):
            record.ended(run)
        _tell(run.report, output, dry_run=dry_run)
        from cli.commands._lake import tell_damage

        tell_damage(lake.damaged)


def _wanted(since: str | None, until: str | None, dialect: str | None, *, only_changed: bool) -> "Wanted":
    from datetime import UTC, datetime

    from cli.commands._lake import moment
    from collector.rederiving import Wanted

    now = datetime.now(UTC)
    times = [moment(text, option, now) for text, option in ((since, "--since"), (until, "--until"))]
    if times[0] is not None and times[1] is not None and times[0] > times[1]:
        fail(f"--since {since} is after --until {until}", "exchange them")
    from_ns, to_ns = (None if at is None else int(at.replace(tzinfo=UTC).timestamp() * 1e6) * 1000 for at in times)
    return Wanted(from_ns=from_ns, to_ns=to_ns, dialect=dialect, only_changed=only_changed)


def _configuration(path: Path | None) -> "Config":
    from cli.configuration import load_or_fail

    return load_or_fail(path)


@contextmanager
def _publisher(data: Path, config: "Config", *, dry_run: bool) -> Iterator["Publisher | None"]:
    import socket

    from collector.node import node_name
    from storage.derivations import Publisher

    if dry_run:
        yield None
        return
    with closing(Publisher(data, config.parquet.node or node_name(socket.gethostname()))) as publisher:
        yield publisher


def _read_all(run: "Rederiving", parts: "Sequence[Slice]") -> None:
    """Read everything, with a progress bar on a terminal."""
    if not sys.stderr.isatty():
        for part in parts:
            run.read(part)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading rows again", total=sum(part.rows for part in parts))
        for part in parts:
            run.read(part)
            progress.update(task, advance=part.rows)


class _Record:
    """Says in the lake who changes what readers see, and to what: before the first change, and what it came to."""

    def __init__(self, config: "Config", data: Path) -> None:
        self._config = config
        self._data = data

    @cached_property
    def _log(self) -> "AccessLog":
        from cli.access import AccessLog

        return AccessLog(self._config, self._data)

    def begins(self) -> None:
        self._log.record("records.rederive", outcome="requested", resource="derivations")

    def ended(self, run: "Rederiving") -> None:
        told = f"{run.report.changed} of {run.report.read} rows read otherwise, {run.report.moved_traces} traces moved, by {run.derivation}"
        self._log.record("records.rederive", outcome="success", resource="derivations", reason=told)
        self._log.seal()


def _tell(report: "Report", output: OutputFormat, *, dry_run: bool) -> None:
    rows = [{"dialect": dialect, "column": column, "rows": rows} for (dialect, column), rows in sorted(report.differences.items())]
    if rows or output is not OutputFormat.table:
        print_rows(rows, output)
    verb = "would change" if dry_run else "changed"
    typer.echo(f"{report.read} rows read again, {report.changed} {verb}, {report.moved_traces} traces {verb} their run", err=True)
