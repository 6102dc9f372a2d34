"""`auditlake alerts …`: check rule files, evaluate them, see what fires, and run the scheduler."""

import signal
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.commands import alerts_dead, alerts_eval, alerts_fire, alerts_rules, alerts_silences
from cli.commands._lake import tell_damage
from cli.options import ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.listing import Listed
    from alerts.samples import Clean
    from collector.config import Config

PIPED_WIDTH = 240
STATE_STYLES = {"firing": "bold red", "pending": "yellow", "error": "bold magenta", "no_data": "magenta", "resolved": "green"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    alerts = typer.Typer(help="Check and evaluate alert rules, and see what fires.", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "check": alerts_rules.check,
        "test": alerts_rules.test,
        "eval": alerts_eval.evaluate,
        "fire": alerts_fire.fire,
        "list": list_state,
        "run": run,
    }
    for name, command in commands.items():
        alerts.command(name)(command)
    alerts_silences.register(alerts)
    alerts_dead.register(alerts)
    app.add_typer(alerts, name="alerts")


def list_state(data: DataOption = None, config: ConfigOption = None, output: FormatOption = OutputFormat.table) -> None:
    """Show every rule and its alerts: state, since when, value, and when it was last evaluated (red when that is late)."""
    from alerts.listing import list_alerts
    from alerts.state import AlertStore

    store = AlertStore.open(data_directory(data, config), read_only=True)
    try:
        listed, damaged = list_alerts(store, now=datetime.now(UTC)), store.damaged()
    finally:
        store.close()
    if output is OutputFormat.table:
        _print_list(listed)
    else:
        print_rows([row.as_row() for row in listed], output)
    tell_damage(damaged)


def run(config: ConfigOption = None, data: DataOption = None) -> None:
    """Run the alert scheduler alone until SIGTERM or Ctrl-C; SIGHUP reads the configuration again. `auditlake up` includes it."""
    from alerts.binding import expression_check
    from alerts.scheduler import run_scheduler
    from cli.alert_reload import Rereading
    from cli.alert_routing import recipients
    from cli.budget_endpoint import budget_service
    from cli.configuration import budget_files, load_or_fail, rule_files, slo_files
    from cli.configuration_log import tell_configuration
    from cli.logs import configure_logs
    from collector.node import node_name

    configure_logs("alerts")
    loaded = load_or_fail(config)
    if loaded.alerts is None:
        fail("the configuration enables no alerts", "add the extension `alerts`, and name it in service.extensions")
    directory = data or loaded.parquet.path
    stop, reload = _signals()
    files, slos = rule_files(loaded, config), slo_files(loaded, config)
    tell_configuration(loaded, directory, "alerts", files=[*files, *slos, *budget_files(loaded, config)])
    clean, policy_hash = _cleaning(loaded, directory)
    told = recipients(loaded)
    with expression_check() as check_sql:
        run_scheduler(
            data=directory,
            rules=files,
            slos=slos,
            budgets=budget_service(loaded, directory, budget_files(loaded, config), clean),
            interval_seconds=loaded.alerts.interval,
            abandoned_after_seconds=loaded.abandoned_after_seconds,
            receivers=told.receivers,
            alertmanagers=told.alertmanagers,
            routing=told.routing,
            stop=stop,
            node=loaded.parquet.node or node_name(_hostname()),
            clean=clean,
            policy_hash=policy_hash,
            external_url=told.external_url,
            check_sql=check_sql,
            reload=reload,
            reread=Rereading(loaded, config, directory),
        )


def _print_list(listed: Sequence["Listed"]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("alert", "state", "labels", "since", "value", "last evaluation", "summary"):
        table.add_column(name, overflow="fold", justify="right" if name == "value" else "left")
    for row in listed:
        table.add_row(
            row.alert,
            Text(_state(row), style=STATE_STYLES.get(row.state, "dim")),
            Text(" ".join(f"{name}={text}" for name, text in row.labels.items())),
            _moment(row.since),
            "" if row.value is None else f"{row.value:.6g}",
            Text(f"{_moment(row.last_evaluation) or 'never'}{' (late)' if row.late else ''}", style="bold red" if row.late else ""),
            Text(row.summary),
        )
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def _state(row: "Listed") -> str:
    marks = [f"acknowledged by {row.acknowledged_by}" if row.acknowledged_by else "", "silenced" if row.silence_id else ""]
    return ", ".join([row.state, *filter(None, marks)])


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _signals() -> tuple[threading.Event, threading.Event]:
    from cli.terminal import Terminal

    stop, reload, terminal = threading.Event(), threading.Event(), Terminal()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGHUP, lambda _number, _frame: (stop if terminal.gone else reload).set())
    return stop, reload


def _cleaning(loaded: "Config", data: Path) -> tuple["Clean", str]:
    from cli.access import without_vault
    from cli.configuration import cache_folder
    from redaction.pseudonym import load_or_create_key
    from redaction.redactor import Redactor

    key = load_or_create_key(data / "keys" / "pseudonym.key")
    redactor = Redactor(without_vault(loaded.redaction), pseudonym_key=key, cache_folder=cache_folder())

    def clean(items: Sequence[tuple[str, str | None]]) -> list[str]:
        return [cleaned.text for cleaned in redactor.clean_now(items)]

    return clean, redactor.policy_hash


def _hostname() -> str:
    import socket

    return socket.gethostname()
