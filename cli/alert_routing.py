"""Who is told of which alerts, as a configuration says it. What is wrong with that is told with its line, like all mistakes in the file."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collector.config import ConfigError
from collector.config_source import KeyPath, Problem, Source, read

if TYPE_CHECKING:
    from alerts.recipients import Recipients
    from alerts.routing import Routing
    from collector.config import Config


def recipients(config: "Config") -> "Recipients":
    """Return the receivers, or the Alertmanagers, and how alerts get there; raises RoutingError. Without alerts nobody is told."""
    from alerts.recipients import Recipients
    from cli.alert_receivers import integrations, peers

    alerts, url = config.alerts, external_url(config)
    if alerts is None:
        return Recipients(external_url=url)
    receivers, alertmanagers = tuple(integrations(alerts)), tuple(peers(alerts))
    return Recipients(receivers=receivers, alertmanagers=alertmanagers, routing=routing(config), external_url=url)


def external_url(config: "Config") -> str:
    """Return the base of the deep links: as configured, else the dashboard's address."""
    if config.alerts is not None and config.alerts.external_url:
        return config.alerts.external_url
    return f"http://{config.dashboard.endpoint if config.dashboard else '127.0.0.1:8501'}"


def routing(config: "Config") -> "Routing":
    """Return who is told of which alerts; raises RoutingError. Without alerts nobody is told of anything."""
    from alerts.routing import read_routing

    section = config.alerts
    if section is None:
        return read_routing(None)
    route = None if section.route is None else section.route.model_dump(by_alias=True, exclude_none=True)
    rules = [rule.model_dump() for rule in section.inhibit_rules]
    return read_routing(route, rules, receivers=list(dict.fromkeys(receiver.name for receiver in section.receivers)))


def check_routing(config: "Config", path: Path) -> None:
    """Raise ConfigError for a routing that cannot be used; `path` is the file that the configuration came from."""
    if config.alerts is None:
        return
    from alerts.routing import RoutingError

    problems = list(_names_that_clash(config))
    try:
        routing(config)
    except RoutingError as error:
        problems += error.problems
    if problems:
        raise ConfigError(str(path), located(problems, path))


def located(problems: Sequence[tuple[KeyPath, str]], path: Path) -> list[Problem]:
    """Return problems, each with its place in the section `alerts`, as those of the file `path`, with their lines."""
    source = read(path.read_text(encoding="utf-8"), str(path), os.environ)
    section = ("extensions", _section(source))
    return [source.problem((*section, *where), message) for where, message in problems]


def _names_that_clash(config: "Config") -> Iterator[tuple[KeyPath, str]]:
    """Yield receivers of whose ways one is called like another's, or like what auditlake itself delivers to."""
    if config.alerts is None or not config.alerts.receivers:
        return
    from alerts.transitions import OWN_RECEIVERS
    from cli.alert_receivers import names

    known = dict.fromkeys(OWN_RECEIVERS, "auditlake's own")
    for number, receiver in enumerate(config.alerts.receivers):
        for name in names(receiver):
            if name in known:
                yield ("receivers", number, "name"), f"messages to {name!r} are {known[name]} already: choose another name"
            known.setdefault(name, f"those of receiver {receiver.name!r}")


def _section(source: Source) -> str:
    """Return the id of the section `alerts` that runs."""
    enabled: list[str] = source.values["service"]["extensions"]
    return next(identifier for identifier in enabled if identifier.partition("/")[0] == "alerts")
