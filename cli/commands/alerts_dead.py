"""`auditlake alerts dead …`: notifications that were given up, and sending them after all."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from collector.config import Config


def register(alerts: typer.Typer) -> None:
    """Add the commands."""
    dead = typer.Typer(help="Notifications that were given up.", no_args_is_help=True)
    dead.command("list")(list_dead)
    dead.command("retry")(retry)
    alerts.add_typer(dead, name="dead")


def list_dead(
    waiting: Annotated[bool, typer.Option("--waiting", help="Also those that failed and are tried again.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """List notifications that were given up, with the reason; they are kept for seven days."""
    rows = [_row(message) for message in _undelivered(data_directory(data, config)) if message["dead"] or waiting]
    columns = ["id", "state", "receiver", "group_key", "status", "alerts", "created_at", "attempts", "error"]
    print_rows(rows, output, columns=columns)


def retry(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which ones, as `dead list` names them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Send notifications that were given up, with the same idempotency key; the alert process does it.

    One after which there is something newer of the same group is not sent: it would tell the past.
    """
    from alerts.state import AlertStore
    from cli.access import AccessLog, owned
    from cli.configuration import load_or_fail

    if bool(ids) is everything:
        fail("say which notifications", "name their ids, or pass --all")
    directory, loaded = data_directory(data, config), load_or_fail(config)
    chosen = _chosen(_undelivered(directory), ids)
    refused = [(message, reason) for message in chosen if (reason := _refusal(message, _receivers(loaded)))]
    sent = [message for message in chosen if message not in [first for first, _ in refused]]
    for message, reason in refused:
        typer.echo(f"not sent: {message['id']}: {reason}", err=True)
    if sent:
        log = AccessLog(loaded, directory)
        numbers = [message["id"] for message in sent]
        log.record("notification.retry", outcome="success", resource=f"notifications/{','.join(map(str, numbers))}")
        with owned(directory, "."), closing(AlertStore.open(directory)) as store:
            store.revive(numbers, datetime.now(UTC))
        log.seal()
    typer.echo(f"{len(sent)} to be sent", err=True)
    if refused and ids:
        raise typer.Exit(EXIT_NO)


def _undelivered(data: Path) -> list[dict[str, Any]]:
    from alerts.state import AlertStore

    with closing(AlertStore.open(data, read_only=True)) as store:
        return store.undelivered()


def _chosen(messages: Sequence[Mapping[str, Any]], ids: Sequence[int] | None) -> list[Mapping[str, Any]]:
    dead = {message["id"]: message for message in messages if message["dead"]}
    for number in ids or ():
        if number not in dead:
            fail(f"no notification {number} was given up", "auditlake alerts dead list")
    return [dead[number] for number in dict.fromkeys(ids)] if ids else list(dead.values())


def _refusal(message: Mapping[str, Any], receivers: Sequence[str]) -> str | None:
    """Return why a notification cannot be sent any more."""
    if message["superseded"]:
        return "there is something newer to tell of this group, or it was told"
    if message["receiver"] not in receivers:
        return f"the configuration has no receiver {message['receiver']} any more"
    return None


def _receivers(loaded: "Config") -> list[str]:
    from cli.alert_receivers import names

    if loaded.alerts is None or loaded.alerts.alertmanagers:
        return []
    return [name for receiver in loaded.alerts.receivers for name in names(receiver)]


def _row(message: Mapping[str, Any]) -> dict[str, Any]:
    body = json.loads(message["body"])
    alerts = body.get("alerts")
    return {
        "id": message["id"],
        "state": "superseded" if message["superseded"] else "dead" if message["dead"] else "waiting",
        "receiver": message["receiver"],
        "group_key": message["group_key"],
        "status": body.get("status"),
        "alerts": None if alerts is None else len(alerts),
        "created_at": message["created_at"],
        "due_at": None if message["dead"] else message["due_at"],
        "attempts": message["attempts"],
        "error": message["error"],
    }
