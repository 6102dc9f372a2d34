"""`auditlake retention …`: remove what is older than the rules of the configuration say, and show what that would be."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.options import ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from collector.config import Config


def register(app: typer.Typer) -> None:
    """Add the commands."""
    retention = typer.Typer(help="How long rows are kept: extensions.retention of the configuration.", no_args_is_help=True)
    for command in (apply, status):
        retention.command(command.__name__)(command)
    app.add_typer(retention, name="retention")


def apply(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """Remove what expired now; what is under hold stays. A running collector does the same from time to time."""
    loaded, directory = _opened(data, config)
    if not loaded.retention.rules:
        typer.echo("no rules: everything is kept; extensions.retention in the configuration says otherwise", err=True)
    from cli.access import owned
    from collector.retaining import hooks
    from storage.retention import apply as apply_rules

    keys = loaded.redaction.identity_keys
    with owned(directory, "."):
        done = apply_rules(directory, loaded.retention.as_rules, now_ns=time.time_ns(), hooks=hooks(directory), identity_keys=keys)
    _settle(loaded, directory)
    row: dict[str, Any] = {"order": done.order, "rows": done.rows, "files": done.files, "held": done.held, "resumed": done.resumed}
    print_rows([row], output)
    for path in done.damaged:
        typer.echo(f"warning: {path} is damaged and was set aside: restore it from a backup, or move it out of the lake", err=True)


def status(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """Show for each rule what it keeps, the oldest row it is about, and what is due; changes nothing."""
    from storage.catalog import Catalog
    from storage.catalog_removals import holds
    from storage.retention import due

    loaded, directory = _opened(data, config)
    now_ns = time.time_ns()
    with closing(Catalog.open(directory)) as catalog:
        rows = []
        for rule in loaded.retention.as_rules:
            files = [file for file in catalog.live_files() if rule.table in {None, file.table_name}]
            waiting = due(directory, catalog, [rule], now_ns)
            oldest = min((file.min_ns for file in files), default=None)
            row = {"rule": str(rule), "files": len(files), "rows": sum(file.rows for file in files), "oldest": _day(oldest)}
            rows.append({**row, "due_files": len(waiting), "due_rows_at_most": sum(file.rows for file in waiting)})
        in_force = len(holds(catalog))
    print_rows(rows, output)
    typer.echo(f"{in_force} hold{'s' if in_force != 1 else ''} in force", err=True)


def _day(ns: int | None) -> str | None:
    return None if ns is None else datetime.fromtimestamp(ns / 1e9, UTC).date().isoformat()


def _opened(data: Path | None, config: Path | None) -> "tuple[Config, Path]":
    from cli.configuration import load_or_fail

    loaded, directory = load_or_fail(config), data_directory(data, config)
    if not (directory / "catalog.sqlite").exists():
        fail(f"there is no lake in {directory}", "pass the right --data directory")
    return loaded, directory


def _settle(config: "Config", data: Path) -> None:
    """Have the logs say what happened, unless a running sealer does."""
    import os

    from cli.access import owned
    from collector.pricing import Pricer
    from collector.sealer import seal_pending
    from storage.catalog import Catalog

    with owned(data, "."), closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog, prices=Pricer(config.prices), ledger=config.ledger.kept(os.environ))
