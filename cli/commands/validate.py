"""`auditlake validate`: is the configuration right? Nothing is started, nothing is changed."""

import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_CONFIG, EXIT_USAGE, fail

if TYPE_CHECKING:
    from collector.config import Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate")(validate)


def validate(
    config: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Configuration. Default: ./otel-config.yaml.")] = None,
    ports: Annotated[bool, typer.Option("--ports/--no-ports", help="Also check that the ports are free.")] = True,
) -> None:
    """Check the configuration: keys, references, files, ports, rules, and all that redaction loads, which is compiled for a quick start."""
    from cli.configuration import budget_files, load_or_fail, rule_files, slo_files

    if config is not None and not config.exists():
        fail(f"{config} does not exist", "name an existing file, or leave it out for ./otel-config.yaml")
    loaded = load_or_fail(config)
    redaction, warnings = _redaction(loaded)
    admission, dated = _admission(loaded)
    problems = [
        *redaction,
        *admission,
        *_data_problems(loaded),
        *_rule_problems(rule_files(loaded, config), slo_files(loaded, config)),
        *_budget_problems(budget_files(loaded, config)),
        *_receiver_problems(loaded, config),
        *(_port_problems(loaded) if ports else []),
    ]
    for warning in (*loaded.warnings, *warnings, *dated):
        typer.echo(f"warning: {warning}", err=True)
    for problem in problems:
        typer.echo(f"auditlake: {problem}", err=True)
    if problems:
        raise typer.Exit(EXIT_USAGE)
    typer.echo(f"{config or 'otel-config.yaml'}: valid")


def _redaction(config: "Config") -> tuple[list[str], list[str]]:
    """Load recognizers and model as a scanner does; returns problems and warnings."""
    from cli.configuration import cache_folder
    from redaction.errors import RedactionError
    from redaction.offline import forbid_downloads

    forbid_downloads()
    from redaction.presidio.description import describe

    try:
        description = describe(config.redaction, cache_folder=cache_folder())
    except RedactionError as error:
        return [f"processors.redaction: {error}"], []
    slow = [name for name in description.slow if not description.model]
    return [], [f"processors.redaction: {', '.join(slow)}: looks at every text, which is slow"] if slow else []


def _admission(config: "Config") -> tuple[list[str], list[str]]:
    """Read the files of tokens, passwords and certificates as a collector does; returns problems and warnings."""
    from collector.doors import check

    return check(config)


def _data_problems(config: "Config") -> list[str]:
    import os

    directory = config.parquet.path.absolute()
    existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return [f"exporters.parquet.path: {existing} is not a directory that can be written: choose another path or change its mode"]
    return []


def _rule_problems(files: list[Path], slos: list[Path]) -> list[str]:
    from alerts.binding import expression_check
    from alerts.errors import RuleFileError
    from alerts.rules import load_rules
    from alerts.slo.objectives import load_objectives

    found: list[str] = []
    with expression_check() as check_sql:
        for load, paths in ((load_rules, files), (load_objectives, slos)):
            try:
                load(paths, check_sql=check_sql)
            except RuleFileError as error:
                found += [str(problem) for problem in error.problems]
    return found


def _budget_problems(files: list[Path]) -> list[str]:
    from alerts.budgets.file import load_budgets
    from alerts.errors import RuleFileError

    try:
        load_budgets(files, stored_name=str)
    except RuleFileError as error:
        return [str(problem) for problem in error.problems]
    return []


def _receiver_problems(config: "Config", path: Path | None) -> list[str]:
    from cli.alert_receivers import receiver_problems
    from cli.alert_routing import located

    found = [] if config.alerts is None else receiver_problems(config.alerts)
    file = path or DEFAULT_CONFIG
    return [f"{file}: {problem}" for problem in located(found, file)] if found else []  # what is built in has no receivers


def endpoints(config: "Config") -> dict[str, str]:
    """Return configuration key → host:port of everything that `auditlake up` listens on."""
    grpc, http, health, pages, alerts = config.otlp.grpc, config.otlp.http, config.health_check, config.dashboard, config.alerts
    found = {
        "receivers.otlp.protocols.grpc.endpoint": grpc.endpoint if grpc else None,
        "receivers.otlp.protocols.http.endpoint": http.endpoint if http else None,
        "extensions.health_check.endpoint": health.endpoint if health else None,
        "extensions.dashboard.endpoint": pages.endpoint if pages else None,
        "extensions.alerts.budget_endpoint": alerts.budget_endpoint if alerts else None,
    }
    return {key: endpoint for key, endpoint in found.items() if endpoint}


def _port_problems(config: "Config") -> list[str]:
    from collector.config import host_port

    problems = []
    for key, endpoint in endpoints(config).items():
        host, port = host_port(endpoint)
        if port and not is_free(host, port):
            problems.append(f"{key}: {endpoint} is in use: stop what listens there, or choose another port (--no-ports skips this check)")
    return problems


def is_free(host: str, port: int) -> bool:
    """Say whether a server could listen on host:port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
