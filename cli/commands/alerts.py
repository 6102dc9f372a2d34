"""`auditlake alerts …`: check rule files, evaluate them, see what fires, and run the scheduler."""

import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands._lake import tell_damage
from cli.options import EXIT_USAGE, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.listing import Listed
    from alerts.notify import Receiver
    from alerts.rules import LoadedGroup
    from alerts.samples import Clean
    from collector.config import Config
    from storage.lake import Lake

FilesArgument = Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Rule files. Default: those of the configuration.")]
PIPED_WIDTH = 240
STATE_STYLES = {"firing": "bold red", "pending": "yellow", "error": "bold magenta", "resolved": "green"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    alerts = typer.Typer(help="Check and evaluate alert rules, and see what fires.", no_args_is_help=True)
    for name, command in (("check", check), ("eval", evaluate), ("list", list_state), ("run", run)):
        alerts.command(name)(command)
    app.add_typer(alerts, name="alerts")


def check(files: FilesArgument = None, config: ConfigOption = None) -> None:
    """Check rule files: grammar, templates, and every expression against the views. Needs no lake."""
    from alerts.binding import expression_check
    from alerts.errors import RuleFileError
    from alerts.rules import load_rules

    refused = False
    with expression_check() as check_sql:
        for file in files or _configured_files(config):
            try:
                groups = load_rules([file], check_sql=check_sql)
            except RuleFileError as error:
                refused = True
                for problem in error.problems:
                    typer.echo(problem, err=True)
            else:
                count = sum(len(group.rules) for group in groups)
                typer.echo(f"{file}: ok, {count} rule{'s' if count != 1 else ''} in {len(groups)} group{'s' if len(groups) != 1 else ''}")
    if refused:
        raise typer.Exit(EXIT_USAGE)


def evaluate(
    files: FilesArgument = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="RFC 3339 time to evaluate at. Default: now.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Evaluate rules against the lake and print what would be pending or firing. Changes and notifies nothing."""
    from alerts.rules import load_rules
    from cli.reading import reading

    instant = _instant(at)
    groups = load_rules(files or _configured_files(config))
    with reading(data_directory(data, config), "alerts.eval", resource="alert rules") as read:
        rows, errors = _evaluated(read.lake, groups, instant, behind_watermark=at is None)
        read.shown(len(rows))
        print_rows(rows, output, columns=["alert", "state", "labels", "value", "active_since", "summary"])
    for error in errors:
        typer.echo(f"auditlake: {error}", err=True)
    if errors:
        raise typer.Exit(EXIT_USAGE)


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
    """Run the alert scheduler alone until SIGTERM or Ctrl-C; SIGHUP reads the rule files again. `auditlake up` includes it."""
    from alerts.binding import expression_check
    from alerts.scheduler import run_scheduler
    from cli.configuration import load_or_fail, rule_files
    from cli.configuration_log import tell_configuration
    from cli.logs import configure_logs
    from collector.node import node_name

    configure_logs("alerts")
    loaded = load_or_fail(config)
    if loaded.alerts is None:
        fail("the configuration enables no alerts", "add the extension `alerts`, and name it in service.extensions")
    directory = data or loaded.parquet.path
    stop, reload = _signals()
    files = rule_files(loaded, config)
    tell_configuration(loaded, directory, "alerts", files=files)
    clean, policy_hash = _cleaning(loaded, directory)
    with expression_check() as check_sql:
        run_scheduler(
            data=directory,
            rules=files,
            interval_seconds=loaded.alerts.interval,
            abandoned_after_seconds=loaded.abandoned_after_seconds,
            receivers=_receivers(loaded),
            stop=stop,
            node=loaded.parquet.node or node_name(_hostname()),
            clean=clean,
            policy_hash=policy_hash,
            external_url=_external_url(loaded),
            check_sql=check_sql,
            reload=reload,
        )


def _configured_files(config: Path | None) -> list[Path]:
    from cli.configuration import load_or_fail, rule_files

    files = rule_files(load_or_fail(config), config)
    if not files:
        fail("the configuration enables no alerts", "name the rule files: auditlake alerts check FILE")
    return files


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        fail("--at is not a time", "write it like 2026-11-21T12:00:00Z")
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _evaluated(
    lake: "Lake", groups: Sequence["LoadedGroup"], at: datetime, *, behind_watermark: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the pending and firing alerts, and what went wrong. `at` itself is $eval_ts unless the watermark holds it back."""
    from alerts.errors import AlertsError
    from alerts.evaluate import SameLabels, State
    from alerts.replay import replay
    from alerts.scheduler import DEFAULT_QUERY_OFFSET_SECONDS
    from alerts.watermark import evaluation_time, ingest_watermark
    from storage.errors import StorageError

    rows: list[dict[str, Any]] = []
    errors: list[str] = []
    watermark = ingest_watermark(lake.data) if behind_watermark else None
    for group in groups:
        offset = group.query_offset if group.query_offset is not None else timedelta(seconds=DEFAULT_QUERY_OFFSET_SECONDS)
        eval_ts = evaluation_time(at, offset, watermark) if behind_watermark else at
        for rule in group.rules:
            try:
                found = replay(rule, lake, at=at, eval_ts=eval_ts, interval=group.interval or timedelta(seconds=30), clean=_as_it_is)
            except (StorageError, AlertsError, SameLabels) as error:
                errors.append(f"{rule.rule.alert}: {error}")
                continue
            rows += [
                {
                    "alert": rule.rule.alert,
                    "group": rule.group,
                    "state": str(alert.state),
                    "labels": {name: text for name, text in alert.labels.items() if name != "alertname"},
                    "value": alert.value,
                    "active_since": alert.active_at,
                    "summary": alert.annotations.get("summary", ""),
                    "evaluated_at": eval_ts,
                }
                for alert in found.values()
                if alert.state in (State.PENDING, State.FIRING)
            ]
    return rows, errors


def _as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    """Leave texts as they are: nothing is stored, and who evaluates may read the lake."""
    return [text for text, _ in items]


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
            Text(row.state, style=STATE_STYLES.get(row.state, "dim")),
            Text(" ".join(f"{name}={text}" for name, text in row.labels.items())),
            _moment(row.since),
            "" if row.value is None else f"{row.value:.6g}",
            Text(f"{_moment(row.last_evaluation) or 'never'}{' (late)' if row.late else ''}", style="bold red" if row.late else ""),
            Text(row.summary),
        )
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%SZ")


def _signals() -> tuple[threading.Event, threading.Event]:
    stop, reload = threading.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    signal.signal(signal.SIGHUP, lambda _number, _frame: reload.set())
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


def _receivers(loaded: "Config") -> list["Receiver"]:
    """Return the webhooks of the configuration; the second one of a receiver is called `name/2`, and so on."""
    from alerts.notify import WebhookReceiver

    found: list[Receiver] = []
    for receiver in loaded.alerts.receivers if loaded.alerts is not None else ():
        for number, webhook in enumerate(receiver.webhook_configs, 1):
            name = receiver.name if number == 1 else f"{receiver.name}/{number}"
            found.append(WebhookReceiver(name=name, url=webhook.url, timeout_seconds=webhook.timeout, send_resolved=webhook.send_resolved))
    return found


def _external_url(loaded: "Config") -> str:
    if loaded.alerts is not None and loaded.alerts.external_url:
        return loaded.alerts.external_url
    return f"http://{loaded.dashboard.endpoint if loaded.dashboard else '127.0.0.1:8501'}"


def _hostname() -> str:
    import socket

    return socket.gethostname()
