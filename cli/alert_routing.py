"""The alert routing that a configuration means. What is wrong with it is told with the line in the file, like all its mistakes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from collector.config import ConfigError
from collector.config_source import Source, read

if TYPE_CHECKING:
    from alerts.routing import Routing
    from collector.config import Config


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
    if config.alerts is None or (config.alerts.route is None and not config.alerts.inhibit_rules):
        return
    from alerts.routing import RoutingError

    try:
        routing(config)
    except RoutingError as error:
        source = read(path.read_text(encoding="utf-8"), str(path), os.environ)
        section = ("extensions", _section(source))
        raise ConfigError(str(path), [source.problem((*section, *where), message) for where, message in error.problems]) from None


def _section(source: Source) -> str:
    """Return the id of the section `alerts` that runs."""
    enabled: list[str] = source.values["service"]["extensions"]
    return next(identifier for identifier in enabled if identifier.partition("/")[0] == "alerts")
