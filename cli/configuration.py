"""Finding and loading the configuration for a command, with its errors as one message."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer

from cli.options import DEFAULT_CONFIG, EXIT_USAGE
from collector.config import DEFAULT, Config, ConfigError, load, parse

STAND_IN: Final = "the configuration has errors: the built-in one stands in for it"


def load_or_fail(path: Path | None) -> Config:
    """Return the configuration of `path`, else of ./otel-config.yaml, else the built-in one; exits with 2 and all problems."""
    try:
        return load_config(path)
    except ConfigError as error:
        typer.echo(f"auditlake: {error}", err=True)
        typer.echo("  → correct the lines above, then check with: auditlake validate", err=True)
        raise typer.Exit(EXIT_USAGE) from None


def load_config(path: Path | None) -> Config:
    """Return the configuration of `path`, else of ./otel-config.yaml, else the built-in one; raises ConfigError with all problems."""
    config = load_unrouted(path)
    if path is not None or DEFAULT_CONFIG.exists():
        from cli.alert_routing import check_routing

        check_routing(config, path or DEFAULT_CONFIG)
    return config


def load_unrouted(path: Path | None = None) -> Config:
    """The same, for who tells nobody of alerts: whether their routing can be used is not looked at."""
    if path is None and not DEFAULT_CONFIG.exists():
        return parse(DEFAULT, "built-in configuration", os.environ)
    return load(path or DEFAULT_CONFIG, os.environ)


def stand_in() -> Config:
    """Return the built-in configuration for who reads while the file has errors.

    Each such read is recorded, with the word that another policy cleaned it, or shows nothing: nobody can tell what the file asks for.
    """
    return replace(parse(DEFAULT, "built-in configuration", os.environ), audit_reads="required", warnings=(STAND_IN,))


def with_workers(config: Config, workers: int | None) -> Config:
    """Return the configuration with the number of receiving processes that the command line asks for, if it does."""
    return config if workers is None else replace(config, workers=workers)


def rule_files(config: Config, beside: Path | None) -> list[Path]:
    """Return the alert rule files: each looked up in the working directory, beside the configuration, then in the installed package."""
    return [] if config.alerts is None else _looked_up(config.alerts.rules, beside)


def slo_files(config: Config, beside: Path | None) -> list[Path]:
    """Return the files of service level objectives, looked up as rule files are."""
    return [] if config.alerts is None else _looked_up(config.alerts.slos, beside)


def budget_files(config: Config, beside: Path | None) -> list[Path]:
    """Return the budget files, looked up as rule files are."""
    return [] if config.alerts is None else _looked_up(config.alerts.budgets, beside)


def _looked_up(files: Sequence[Path], beside: Path | None) -> list[Path]:
    import alerts

    package_root = Path(alerts.__file__).parent.parent
    roots = [Path(), *([beside.parent] if beside is not None else []), package_root]
    found = []
    for file in files:
        places = [root / file for root in roots]
        found.append(next((place for place in places if place.exists()), file))
    return found


def cache_folder() -> Path | None:
    """Return where compiled prefilters are kept: below XDG_CACHE_HOME, else ~/.cache; need not exist, nothing in it is needed again.

    None for a user without a home, as in many containers: a folder of everybody's is no place for what decides about redaction.
    """
    wanted = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if wanted.is_absolute():  # others have to be ignored (XDG Base Directory Specification)
        return wanted / "auditlake"
    try:
        return Path.home() / ".cache" / "auditlake"
    except RuntimeError:
        return None
