"""`auditlake alerts fire`: send a test alert through the routes and receivers of the configuration, and say what became of it."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.evaluate import Alert
    from alerts.outbox import Message
    from alerts.receivers.receiver import Integration
    from alerts.rules import LoadedGroup, LoadedRule
    from alerts.state import AlertStore
    from collector.config import Config

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of an alert in the rule files.")]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="A label that it has, beside those of its rule; several times.")
]
ResolveOption = Annotated[bool, typer.Option("--resolve", help="Say that the test alert resolved, to those that want to know.")]
WaitOption = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for the receivers.")]
TEST_ANNOTATION = "a test: nothing is wrong, and nothing has to be done"
POLL_SECONDS = 0.1


def fire(
    name: NameArgument,
    label: LabelOption = None,
    resolve: ResolveOption = False,
    wait: WaitOption = 30.0,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Send a test alert to whom the routes send the real one, at once, and say what became of it. Exits with 1 unless all have it.

    It has the labels of its rule and `test="true"`, and is a group of its own. Waits, silences and inhibition are passed over.
    """
    from alerts.rules import load_rules
    from alerts.slo.rules import objective_groups
    from cli.access import AccessLog
    from cli.configuration import load_or_fail, rule_files, slo_files
    from cli.logs import configure_logs

    configure_logs("alerts.fire", level=logging.ERROR)  # what became of each message is the answer
    loaded = load_or_fail(config)
    if loaded.alerts is None:
        fail("the configuration enables no alerts", "add the extension `alerts`, and name it in service.extensions")
    directory = data_directory(data, config)
    if not (directory / "catalog.sqlite").exists():
        fail(f"there is no lake in {directory}", "pass the right --data directory")
    log = AccessLog(loaded, directory)
    rule = _rule([*load_rules(rule_files(loaded, config)), *objective_groups(slo_files(loaded, config))], name)
    alert = _cleaned(_alert(rule, _labels(label), resolved=resolve), log.clean)
    log.record("alert.fire", outcome="success", resource=f"alert/{name}")
    rows = _to_peers(loaded, alert) if loaded.alerts.alertmanagers else _to_receivers(loaded, directory, alert, wait)
    log.seal()
    if not rows:
        fail(f"no receiver is told of {name}", "give the route a receiver, or wants a resolved notice: send_resolved", code=EXIT_NO)
    print_rows(rows, output)
    if any(row["outcome"] != "sent" for row in rows):
        raise typer.Exit(EXIT_NO)


def _rule(groups: "Sequence[LoadedGroup]", name: str) -> "LoadedRule":
    from storage.wording import unknown

    rules = {rule.name: rule for group in groups for rule in group.rules if not rule.records}
    if name not in rules:
        fail(unknown("alert", name, rules), "auditlake alerts list shows the rules")
    return rules[name]


def _labels(given: Sequence[str] | None) -> dict[str, str]:
    from alerts.rules import NAME

    labels = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not NAME.fullmatch(name):
            fail(f"--label {text!r} is no label", "write NAME=VALUE")
        labels[name] = value
    return labels


def _alert(rule: "LoadedRule", given: Mapping[str, str], *, resolved: bool) -> "Alert":
    """Return the rule's alert, with those of its labels that do not depend on a row."""
    from alerts.dispatch import TEST
    from alerts.evaluate import Alert, State, fingerprint

    now = datetime.now(UTC)
    own = {name: text for name, text in rule.labels.items() if "{" not in text}
    labels = {**own, **given, "alertname": rule.name, TEST: "true"}
    annotations = {name: text for name, text in rule.rule.annotations.items() if "{" not in text}
    return Alert(
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={**annotations, "summary": f"{rule.name}: {TEST_ANNOTATION}"},
        value=0.0,
        state=State.RESOLVED if resolved else State.FIRING,
        active_at=now,
        fired_at=now,
        resolved_at=now if resolved else None,
    )


def _cleaned(alert: "Alert", clean: Any) -> "Alert":
    """What stands on the command line goes out of the house: it is redacted like all labels."""
    from alerts.evaluate import fingerprint

    labels = {name: clean(text, name) for name, text in alert.labels.items()}
    return replace(alert, labels=labels, fingerprint=fingerprint(labels))


def _to_peers(loaded: "Config", alert: "Alert") -> list[dict[str, Any]]:
    from datetime import timedelta

    from alerts.errors import DeliveryFailed
    from alerts.receivers.alertmanager import postable
    from cli.alert_receivers import peers
    from cli.alert_routing import external_url

    if loaded.alerts is None:
        return []
    body = postable(alert, datetime.now(UTC), timedelta(seconds=loaded.alerts.interval), external_url(loaded))
    rows = []
    for peer in peers(loaded.alerts):
        try:
            peer.post([body])
        except DeliveryFailed as error:
            rows.append({"receiver": peer.name, "outcome": "failed", "why": error.reason})
        else:
            rows.append({"receiver": peer.name, "outcome": "sent", "why": ""})
    return rows


def _to_receivers(loaded: "Config", data: Path, alert: "Alert", wait: float) -> list[dict[str, Any]]:
    from alerts.dispatch import fire as messages_of
    from alerts.evaluate import State
    from alerts.outbox import post
    from alerts.state import AlertStore
    from cli.access import owned
    from cli.alert_receivers import integrations
    from cli.alert_routing import external_url, routing

    if loaded.alerts is None:
        return []
    targets = [target for target in integrations(loaded.alerts) if alert.state is State.FIRING or target.send_resolved]
    messages = messages_of(routing(loaded), targets, alert, now=datetime.now(UTC), external_url=external_url(loaded))
    with owned(data, "."), closing(AlertStore.open(data)) as store:
        with store.begin() as connection:
            post(connection, messages)
        with _delivering(data, store, targets, messages):
            return _outcomes(store, messages, wait)


@contextmanager
def _delivering(data: Path, store: "AlertStore", targets: "Sequence[Integration]", messages: "Sequence[Message]") -> Iterator[None]:
    """Deliver while the body runs, unless an alert process does: it holds the lease."""
    from alerts.delivery import Courier
    from alerts.scheduler import LEASE_FILE, utc_now
    from storage.durable import FileLock
    from storage.errors import LakeLocked

    try:
        lease = FileLock(data / LEASE_FILE, "take the lease of the alert scheduler")
    except LakeLocked:
        yield
        return
    wanted = {message.receiver for message in messages}
    couriers = [Courier(store, target, clock=utc_now) for target in targets if target.name in wanted]
    try:
        for courier in couriers:
            courier.start()
        yield
    finally:
        for courier in couriers:
            courier.close()
        lease.release()


def _outcomes(store: "AlertStore", messages: "Sequence[Message]", wait: float) -> list[dict[str, Any]]:
    """Wait until every message was taken or given up, and return what became of each."""
    deadline = time.monotonic() + wait
    while True:
        keys = {message.key for message in messages}
        found = [row for row in store.outbox() if row["key"] in keys]
        if all(row["delivered_at"] or row["dead"] for row in found) or time.monotonic() > deadline:
            return [{"receiver": row["receiver"], "outcome": _outcome(row), "why": row["error"] or ""} for row in found]
        time.sleep(POLL_SECONDS)


def _outcome(row: Mapping[str, Any]) -> str:
    if row["delivered_at"]:
        return "sent"
    return "failed" if row["dead"] else "waits"
