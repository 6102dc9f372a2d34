"""Reading the configuration of a running alert process again: who is told, and which files there are. What waits for a restart is named."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from alerts.recipients import Reread
    from collector.config import Config


def _alerts(name: str) -> Callable[[Any], Any]:
    return lambda config: getattr(config.alerts, name)


_AT_RESTART: Final[Mapping[str, Callable[[Any], Any]]] = {
    "extensions.alerts.interval": _alerts("interval"),
    "extensions.alerts.budgets": _alerts("budgets"),
    "extensions.alerts.budget_endpoint": _alerts("budget_endpoint"),
    "receivers.otlp": lambda config: (config.otlp, config.authenticators),  # whom the budget endpoint knows
    "processors.redaction": lambda config: config.redaction,
    "exporters.parquet": lambda config: config.parquet,
    "service.abandoned_after": lambda config: config.abandoned_after_seconds,
}
"""What the alert process reads at its start alone, beside what the environment gave: values of `${env:NAME}` are those of its start."""


class Rereading:
    """Reads the file of a process that runs with `config` over the data directory `data`; `path` None: ./otel-config.yaml."""

    def __init__(self, config: "Config", path: Path | None, data: Path) -> None:
        self._config = config
        self._path = path
        self._data = data

    def __call__(self) -> "Reread":
        """Return what is in force from now on; raises AlertsError when the file has mistakes, each with its line, or alerts no more."""
        from alerts.errors import AlertsError, Problem, RuleFileError
        from alerts.recipients import Reread
        from cli.alert_routing import recipients
        from cli.configuration import load_config, rule_files, slo_files
        from cli.options import DEFAULT_CONFIG
        from collector.config import ConfigError

        try:
            config = load_config(self._path)
        except ConfigError as error:
            problems = [Problem(file=error.source, line=each.line, path=each.path, message=each.message) for each in error.problems]
            hint = "correct the lines below, then check with: auditlake validate"
            raise RuleFileError(problems, what="configuration", hint=hint) from None
        if config.alerts is None:
            hint = "it enables no alerts any more: restart auditlake without them, or name the extension in service.extensions"
            raise AlertsError("read the configuration again", self._path or DEFAULT_CONFIG, hint=hint)
        rules, slos = rule_files(config, self._path), slo_files(config, self._path)
        return Reread(recipients=recipients(config), rules=rules, slos=slos, taken=partial(self._tell, config))

    def waiting(self, config: "Config") -> list[str]:
        """Return the sections of a configuration that count after a restart alone."""
        return [label for label, section in _AT_RESTART.items() if section(config) != section(self._config)]

    def _tell(self, config: "Config") -> None:
        """Say what was taken over: in the log, and as an event in the lake."""
        import structlog

        from cli.configuration import budget_files, rule_files, slo_files
        from cli.configuration_log import tell_configuration
        from storage.errors import StorageError

        log = structlog.get_logger(__name__)
        if sections := self.waiting(config):
            log.warning("changed in the configuration, and taken over at the next start only", sections=sections)
        for warning in config.warnings:
            log.warning(warning)
        files = [find(config, self._path) for find in (rule_files, slo_files, budget_files)]
        try:
            tell_configuration(config, self._data, "alerts", files=[file for found in files for file in found])
        except StorageError as error:  # who is told is worth more than the record of it
            log.error("a change of the configuration is not recorded", attempted=error.attempted, hint=error.hint)
